// The contract of an Ory, on the development Ory.
import { describeOry } from './contract.ts';
import { startDevelopmentOry } from './dev.ts';

describeOry('the development Ory', startDevelopmentOry);
