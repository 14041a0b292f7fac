// The journal of a run of 55 hours in three executions, with refusals, outages and failures.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';

const seal = event => {
  const body = JSON.stringify(event).slice(0, -1);
  const sum = createHash('sha256').update(body).digest('hex').slice(0, 8);
  return `${body},"checksum":"${sum}"}\n`;
};

const id = n => `Loc${String(n).padStart(17, '0')}`;

/// Writes the run folder; `settings` are those of a real run.
export const write = (folder, settings) => {
  const rows = 20_000;
  const lines = [];
  const add = (kind, event) => lines.push(seal({ [kind]: event }));
  let now = Date.parse('2026-11-20T06:00:00Z');
  const at = (ms = 0) => new Date(now + ms).toISOString();
  // The same numbers each time.
  let seed = 7;
  const random = () => { seed = (seed * 48271) % 2147483647; return seed / 2147483647; };
  const started = settings => ({ at: at(), version: '0.1.0', settings });
  add('started', {
    format: 1, run_id: 'a'.repeat(32), ...started(settings), client_id: '66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef',
    list: { name: 'installations.csv', digest: '0'.repeat(64), shape: 'CSV, separated by commas, UTF-8', columns: [] },
  });
  for (let row = 1; row <= rows; row++) {
    add('listed', { row, line: row + 1, installation: { scope: 'location', id: id(row) }, values: [] });
  }
  add('ready', { at: at(), input: rows, digest: '0'.repeat(64) });
  const failure = (stage, klass, message, status) => ({ stage, class: klass, message, http_status: status });
  for (let row = 1; row <= rows; row++) {
    const slow = 1 + Math.sin(row / 900) ** 2 * 4;
    const call = (after, http_status) => ({ at: at(after), ms: Math.round((60 + 90 * random() ** 4 * 20) * slow), http_status, trace_id: `trace-${row}` });
    if (row === 7000 || row === 15_500) {
      now += 60_000;
      add('finished', { at: at(), interrupted_by: 'interrupt' });
      now += 9 * 3_600_000;
      add('resumed', started({ ...settings, rate: row === 7000 ? '2/s' : '3/s' }));
    }
    if (row % 1500 < 3) add('held', { at: at(), hold_ms: 240_000, interval_ms: 200 });
    if (row === 4000 || row === 12_000) {
      const what = failure('reconnect', 'server_error', 'Service Unavailable', 503);
      add('paused', { at: at(), failure: what, gives_up_at: at(7_200_000) });
      now += 5_400_000;
      add('continued', { at: at(), paused_ms: 5_400_000 });
    }
    const begin = at();
    if (random() < 0.06) {
      const [klass, message] = random() < 0.7 ? ['not_installed', 'App is not installed on this location'] : ['unknown_id', 'Location not found'];
      add('failed', { row, id: id(row), attempts: 1, started_at: begin, at: at(400), failure: failure('reconnect', klass, message, 400), call: call(0, 400), trace_ids: [`trace-${row}`] });
    } else {
      const age = Math.round(20 + 400 * random() ** 3 * slow);
      add('exchanging', { row, id: id(row), attempt: 1, at: at(300), reconnect: call(0, 200), code_expires_at: at(600_000) });
      add('recovered', { row, id: id(row), attempts: 1, started_at: begin, at: at(900), exchange: call(300 + age, 200), code_age_ms: age, code_margin_ms: 600_000 - age });
    }
    now += 6_300 + (random() < 0.02 ? 60_000 : 0);
  }
  add('finished', { at: at() });
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/journal.jsonl`, lines.join(''));
  // The tokens are where they belong, for all that this page needs.
  writeFileSync(`${folder}/tokens.jsonl`, '');
};
