/** What a message says in JSON; `null` if it is not JSON, for the program behind a page may be any other. */
export function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
