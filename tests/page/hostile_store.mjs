#!/usr/bin/env node
// A store for `exec:` whose answers are made to break a page.
import { createInterface } from 'node:readline';
import { TEXTS } from './hostile.mjs';

const OUTCOMES = ['replaced', 'missing', 'not_ours', 'refused', 'failed', 'newer'];

for await (const line of createInterface({ input: process.stdin })) {
  const { seq } = JSON.parse(line);
  const outcome = OUTCOMES[seq % OUTCOMES.length];
  console.log(JSON.stringify({ seq, outcome, message: TEXTS[seq % TEXTS.length] }));
}
