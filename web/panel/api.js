// The panel's server over HTTP: session, requests and their errors; it stores nothing of a dataset.

/** @typedef {import("./types.d.ts").Session} Session */

const PATIENCE = 20_000; // ms; a server that does not respond for so long is away

/** An error response of the server; its message is for the user. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {{error?: {code?: string, message?: string}, conflicts?: import("./types.d.ts").Conflict[]}} body
   */
  constructor(status, body) {
    super(body.error?.message || `The server refused this (HTTP ${status}).`);
    this.name = "Refused";
    this.status = status;
    this.code = body.error?.code ?? "";
    this.conflicts = body.conflicts ?? null;
  }
}

/** The server cannot be reached, or did not answer. */
export class Away extends Error {
  constructor() {
    super("The server does not respond.");
    this.name = "Away";
  }
}

export class Api {
  /** @param {string} base URL of the routes, without a slash at its end, e.g. `/lorads/api` */
  constructor(base) {
    this.base = base;
    /** @type {Session | null} */
    this.session = null;
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number>} [query]
   */
  url(path, query) {
    const search = query ? `?${new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)]))}` : "";
    return `${this.base}/${path}${search}`;
  }

  /**
   * Fetch the session again: a restarted server has another token.
   * @returns {Promise<Session>}
   */
  async open() {
    this.session = /** @type {Session} */ (await this.get("session"));
    return this.session;
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number>} [query]
   * @returns {Promise<unknown>} of the type that the table of routes has
   */
  get(path, query) {
    return this.#ask(path, { method: "GET" }, query);
  }

  /**
   * @param {string} path
   * @param {object} body
   * @returns {Promise<unknown>} of the type that the table of routes has
   */
  async post(path, body) {
    if (!this.session) await this.open();
    const used = this.session?.token;
    try {
      return await this.#send(path, body);
    } catch (error) {
      if (!(error instanceof Refused && error.status === 403)) throw error;
      if (this.session?.token === used) await this.open(); // else another request has fetched it meanwhile
      if (this.session?.token === used) throw error;
      return await this.#send(path, body);
    }
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  #send(path, body) {
    const headers = { "Content-Type": "application/json", "X-LoRADS-Token": this.session?.token ?? "" };
    return this.#ask(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   * @param {Record<string, string | number>} [query]
   */
  async #ask(path, init, query) {
    let answer;
    let body;
    try {
      answer = await fetch(this.url(path, query), {
        ...init,
        cache: "no-store",
        signal: AbortSignal.timeout(PATIENCE),
      });
      body = await answer.json().catch((/** @type {Error} */ error) => {
        if (error instanceof SyntaxError) return null;
        throw error;
      });
    } catch {
      throw new Away();
    }
    if (answer.ok && body !== null) return body;
    if (answer.status >= 502 && answer.status <= 504) throw new Away(); // a proxy speaks for a server that is not there
    throw new Refused(answer.status, body ?? {});
  }
}
