// An upstream's URL as Kubernetes knows it.
import { expect, test } from 'vitest';
import { destinationOf, namespaceOf } from './service.ts';

const at = (url: string) => ({ url: new URL(url), http2: false });

test.each([
  ['http://web', { kind: 'service', name: 'web', namespace: undefined, port: 80 }],
  ['http://web.shop:8080', { kind: 'service', name: 'web', namespace: 'shop', port: 8080 }],
  ['http://web.shop.svc', { kind: 'service', name: 'web', namespace: 'shop', port: 80 }],
  ['https://web.shop.svc.cluster.local', { kind: 'service', name: 'web', namespace: 'shop', port: 443 }],
  ['https://app.example.com', { kind: 'host', host: 'app.example.com', port: 443 }],
  ['http://localhost:3000', { kind: 'host', host: 'localhost', port: 3000 }],
  ['http://10.0.0.1:3000', { kind: 'address', address: '10.0.0.1', port: 3000 }],
  ['http://[fd00::1]:3000', { kind: 'address', address: 'fd00::1', port: 3000 }],
])('%s', (url, destination) => {
  expect(destinationOf(at(url))).toEqual(destination);
});

test('the namespace is that of the first upstream that says one', () => {
  expect(namespaceOf([at('https://app.example.com'), at('http://web'), at('http://web.shop'), at('http://a.b')])).toBe(
    'shop',
  );
  expect(namespaceOf([at('http://web')])).toBeUndefined();
});
