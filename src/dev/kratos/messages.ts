// What flows say to people, under Kratos's numbers. No I/O.

export interface Message {
  readonly id: number;
  readonly text: string;
  readonly type: 'info' | 'success' | 'error';
  readonly context?: Readonly<Record<string, unknown>>;
}

export const secondFactorWanted = info(1010004, 'Please complete the second authentication challenge.');
export const confirmItIsYou = info(1010003, 'Please confirm this action by verifying that it is you.');
export const changesSaved: Message = { id: 1050001, text: 'Your changes have been saved!', type: 'success' };

export const invalidCredentials = error(
  4000006,
  'The e-mail address or the password is not right. Check both for typing mistakes.',
);
export const invalidCode = error(4000008, 'The provided authentication code is invalid, please try again.');
export const noLoginMethod = error(
  4010002,
  'Could not find a strategy to log you in with. Did you fill out the form correctly?',
);
export const noSettingsMethod = error(
  4050002,
  'Could not find a strategy to update your settings. Did you fill out the form correctly?',
);
export const emailTaken = error(4000007, 'An account with the same identifier exists already.');
export const emailInvalid = error(4000004, 'This is not an e-mail address.');

export function propertyMissing(property: string): Message {
  return { ...error(4000002, `Property ${property} is missing.`), context: { property } };
}

export function passwordTooShort(minLength: number, actualLength: number): Message {
  const text = `The password must be at least ${minLength} characters long, but got ${actualLength}.`;
  return { ...error(4000032, text), context: { min_length: minLength, actual_length: actualLength } };
}

export function info(id: number, text: string): Message {
  return { id, text, type: 'info' };
}

function error(id: number, text: string): Message {
  return { id, text, type: 'error' };
}
