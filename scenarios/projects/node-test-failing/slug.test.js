import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slug } from './slug.js';

test('lower case', () => assert.equal(slug('Hello'), 'hello'));
test('spaces', () => assert.equal(slug('a b'), 'a-b'));
test('several spaces', () => assert.equal(slug('a  b'), 'a-b'));
