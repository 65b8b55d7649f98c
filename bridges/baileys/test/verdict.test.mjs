import assert from 'node:assert/strict';
import test from 'node:test';
import { Boom } from '@hapi/boom';
import { ofError, ofFailure, ofStreamError } from '../src/verdict.mjs';

const NOW = 1_795_000_000_000;

test('each number has its reason, in a stream error as in a failure', () => {
  for (const [code, reason] of [
    [515, 'restart_required'],
    [503, 'server_unavailable'],
    [500, 'server_unavailable'],
    [429, 'throttled'],
    [409, 'replaced'],
    [402, 'banned'],
    [405, 'outdated'],
    [401, 'logged_out'],
    [403, 'logged_out'],
    [406, 'logged_out'],
    [516, 'logged_out'],
    [418, 'unknown'],
  ]) {
    assert.deepEqual(ofStreamError({ tag: 'stream:error', attrs: { code: `${code}` } }), { reason, code });
    assert.deepEqual(ofFailure({ tag: 'failure', attrs: { reason: `${code}` } }, NOW), { reason, code });
  }
});

test('a conflict is a replacement or a removed device', () => {
  const conflict = (type, attrs = {}) => ({ tag: 'stream:error', attrs, content: [{ tag: 'conflict', attrs: { type } }] });
  assert.deepEqual(ofStreamError(conflict('replaced')), { reason: 'replaced', code: 409 });
  assert.deepEqual(ofStreamError(conflict('device_removed', { code: '401' })), { reason: 'logged_out', code: 401 });
});

test('a stream error without a number ends nothing by itself', () => {
  assert.equal(ofStreamError({ tag: 'stream:error', attrs: {}, content: [{ tag: 'ack', attrs: {} }] }), null);
  assert.equal(ofStreamError({ tag: 'stream:error', attrs: { code: 'x' } }), null);
  const unformed = { tag: 'stream:error', attrs: {}, content: [{ tag: 'xml-not-well-formed', attrs: {} }] };
  assert.deepEqual(ofStreamError(unformed), { reason: 'malformed' });
});

test('a ban ends when the server says, and when it does not say nobody makes it up', () => {
  const ban = expire => ofFailure({ tag: 'failure', attrs: { reason: '402', ...(expire && { expire }) } }, NOW);
  assert.deepEqual(ban('3600'), { reason: 'banned', code: 402, until_ms: NOW + 3_600_000 });
  assert.deepEqual(ban(), { reason: 'banned', code: 402 });
  assert.deepEqual(ban('soon'), { reason: 'banned', code: 402 });
  assert.deepEqual(ofFailure({ tag: 'failure', attrs: {} }, NOW), { reason: 'unknown' });
});

test('what no stanza explained is taken from the library', () => {
  for (const [error, verdict] of [
    [undefined, { reason: 'transport_lost' }],
    [new Boom('Connection Terminated', { statusCode: 428 }), { reason: 'transport_lost' }],
    [new Boom('Connection was lost', { statusCode: 408 }), { reason: 'transport_lost' }],
    [new Boom('QR refs attempts ended', { statusCode: 408 }), { reason: 'pairing_ended' }],
    [new Boom('WebSocket Error (socket hang up)', { statusCode: 500 }), { reason: 'transport_lost' }],
    [new Boom('WebSocket Error (Unexpected server response: 429)', { statusCode: 429 }), { reason: 'throttled', code: 429 }],
    [new Boom('WebSocket Error (Unexpected server response: 503)', { statusCode: 503 }), { reason: 'server_unavailable', code: 503 }],
    [new Boom('WebSocket Error (Unexpected server response: 403)', { statusCode: 403 }), { reason: 'transport_lost', code: 403 }],
    [new Boom('noise certificate signature invalid', { statusCode: 400 }), { reason: 'untrusted' }],
    [new Boom('certification match failed', { statusCode: 400 }), { reason: 'untrusted' }],
    [new Boom('Failed to verify account signature'), { reason: 'untrusted' }],
    [new Error('Unsupported state or unable to authenticate data'), { reason: 'malformed' }],
    [new Boom('Multi-device beta not joined', { statusCode: 411 }), { reason: 'unknown', code: 411 }],
  ]) {
    assert.deepEqual(ofError(error), verdict, error?.message);
  }
});
