// A HighLevel that answers with texts made to break a page, and a list with the same.
import { createServer } from 'node:http';
import { once } from 'node:events';

// What must stand on the page as text and do nothing.
export const TEXTS = [
  '</script><script>window.broken = 1</script>',
  '<img src=x onerror="window.broken = 1">',
  '</title></style><svg onload=window.broken=1>',
  '"><iframe src="javascript:window.broken=1"></iframe>',
  '\' onmouseover=\'window.broken = 1',
  '<!-- --><base href="http://127.0.0.1:1/"><meta http-equiv="refresh" content="0;url=http://127.0.0.1:1/">',
  'left \u202eright\u202c \u2066isolated\u2069 \u200f end',
  'nul \u0000 bell \u0007 escape \u001b[31m red',
  '<'.repeat(400),
  '&lt;script&gt; &amp;#60; {{ 7 * 7 }} {% raw %} ${7*7}',
  'https://127.0.0.1:1/pixel.gif <link rel=stylesheet href=//127.0.0.1:1/x.css>',
  ']]><a href="javascript:window.broken=1">click</a>\u2028\u2029\ufeff',
];

const id = n => `Loc${String(n).padStart(17, '0')}`;

/// A list of so many rows whose column and cells are hostile, too.
export const list = count => {
  const cell = text => `"${text.replaceAll('"', '""').replaceAll('\u0000', '')}"`;
  const rows = Array.from({ length: count }, (_, n) => `${id(n)},${cell(TEXTS[n % TEXTS.length])}`);
  return `location_id,${cell(TEXTS[0])}\n${rows.join('\n')}\n${cell(TEXTS[1])},x\n`;
};

// Statuses that stop no run.
const STATUSES = [400, 402, 406, 409, 418, 422, 451];

const answer = (request, body, good) => {
  if (request.url.endsWith('/oauth/token')) {
    const code = new URLSearchParams(body).get('code');
    return [200, {
      access_token: `access-token-of-${code}`, refresh_token: `refresh-token-of-${code}`, token_type: 'Bearer',
      expires_in: 86399, scope: 'contacts.readonly', userType: 'Location', locationId: code.slice(4),
      companyId: 'Owner0000000000000000', userId: 'u1', traceId: TEXTS[2],
    }];
  }
  const location = JSON.parse(body).locationId;
  const n = Number(location.slice(3));
  const text = TEXTS[n % TEXTS.length];
  if (n < good) {
    return [200, { authorizationCode: `code${location}`, expiresAt: '2099-01-01T00:00:00.000Z', traceId: text }];
  }
  return [STATUSES[n % STATUSES.length], { message: text, error: text, traceId: `${n}-${text}` }];
};

/// Serves on loopback; the first installations are recovered, all others fail.
export const serve = async good => {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', data => { body += data; });
    request.on('end', () => {
      const [status, json] = answer(request, body, good);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(json));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
};
