import assert from 'node:assert/strict';
import { test } from 'node:test';
import { show } from './clock.js';

test('midnight', () => assert.equal(show(0), '00:00'));
test('evening', () => assert.equal(show(1265), '21:05'));
