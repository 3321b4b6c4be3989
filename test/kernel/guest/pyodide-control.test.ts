import { expect, test } from 'vitest';
import {
  ControlReceiver,
  ControlSender,
  createControlMemory,
} from '../../../extension/kernel/guest/pyodide-control.ts';
import { SuspendedWaits } from '../../../extension/kernel/guest/pyodide-waits.ts';

function pair() {
  const memory = createControlMemory();
  return { sender: new ControlSender(memory), receiver: new ControlReceiver(memory) };
}

test('a request is claimed once', () => {
  const { sender, receiver } = pair();
  expect(receiver.claim()).toBe(false);
  const request = sender.request();
  expect(sender.isClaimed(request)).toBe(false);
  expect(receiver.claim()).toBe(true);
  expect(receiver.claim()).toBe(false);
  expect(sender.isClaimed(request)).toBe(true);
});

test('one claim answers all requests so far', () => {
  const { sender, receiver } = pair();
  const first = sender.request();
  const second = sender.request();
  expect(receiver.claim()).toBe(true);
  expect([sender.isClaimed(first), sender.isClaimed(second)]).toEqual([true, true]);
});

test('a request that nobody claimed dies with its cell', () => {
  const { sender, receiver } = pair();
  sender.request();
  sender.knock();
  sender.settle();
  expect(receiver.claim()).toBe(false);
  expect(receiver.signal[0]).toBe(0);
});

test('output within the window does not wait, and an interrupt ends the waiting', () => {
  const { sender, receiver } = pair();
  receiver.outputSent(1000);
  sender.outputTaken(1000);
  sender.request();
  receiver.outputSent(100 * 1024 * 1024); // returns because a request is pending
  expect(receiver.claim()).toBe(true);
});

test('waits settle as their promises do', async () => {
  const waits = new SuspendedWaits();
  await expect(waits.track(Promise.resolve(7))).resolves.toBe(7);
  await expect(waits.track(Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(waits.size).toBe(0);
});

test('ended waits wake innermost first and ignore what comes later', async () => {
  const waits = new SuspendedWaits();
  const order: string[] = [];
  let settleLater: (text: string) => void = () => {};
  const later = new Promise<string>((resolve) => (settleLater = resolve));
  const outer = waits.track(later).then((value) => order.push(`outer ${String(value).slice(1)}`));
  const inner = waits
    .track(new Promise(() => {}))
    .then((value) => order.push(`inner ${String(value).slice(1)}`));
  waits.endAll();
  settleLater('late');
  await Promise.all([outer, inner]);
  expect(order).toEqual(['inner interrupted', 'outer interrupted']);
});
