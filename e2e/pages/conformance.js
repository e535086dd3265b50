// The interceptor's conformance suite: what a page sees of fetch and XMLHttpRequest. Each case returns what it saw; the test compares what
// is seen without the script, with it, and with it where the URLs are segments that the pool delivers.
(() => {
  const other = new URLSearchParams(location.search).get("other");
  let number = 0;
  const fast = (base = "/media") => `${base}/fast-${number}.m4s`;
  const slow = (base = "/media") => `${base}/slow-${number}.m4s`;
  const cross = () => fast(`${other}/media`);
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const sum = (buffer) => new Uint8Array(buffer).reduce((all, byte) => (all * 31 + byte) % 1000003, 0);
  const brief = (buffer) => `${buffer.byteLength}:${sum(buffer)}`;
  const fault = (error) => `${error?.constructor?.name}:${error?.name}`;
  const attempt = async (work) => {
    try {
      return await work();
    } catch (error) {
      return fault(error);
    }
  };
  const head = (r) => [
    r.status,
    r.ok,
    r.statusText,
    r.url,
    r.type,
    r.redirected,
    r.bodyUsed,
    r.headers.get("content-length"),
    r.headers.get("content-type"),
  ];
  const whole = async (...args) => {
    const response = await fetch(...args);
    return [...head(response), brief(await response.arrayBuffer()), response.bodyUsed];
  };
  const drain = async (stream) => {
    const reader = stream.getReader();
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return length;
      if (!(value instanceof Uint8Array)) return "no bytes";
      length += value.length;
    }
  };

  const KINDS = ["readystatechange", "loadstart", "progress", "abort", "error", "load", "timeout", "loadend"];
  // What happened, in order; what repeats by the size of chunks is told once.
  function logged(xhr, log = []) {
    for (const kind of KINDS) {
      xhr.addEventListener(kind, () => {
        const entry =
          kind === "readystatechange" ? `state${xhr.readyState}` : kind === "progress" ? kind : `${kind}@${xhr.readyState}`;
        if (!log.slice(-2).includes(entry)) log.push(entry);
      });
    }
    return log;
  }
  const shown = (xhr) => {
    const { response } = xhr;
    if (response instanceof ArrayBuffer) return brief(response);
    if (response instanceof Blob) return `blob ${response.size} ${response.type}`;
    if (response instanceof Document) return `document ${response.documentElement?.nodeName}`;
    return typeof response === "string" ? `text ${response.length}` : JSON.stringify(response);
  };
  // After an abort or a timeout there is no answer any more (https://xhr.spec.whatwg.org, "a network error"). Firefox goes on telling
  // what had come of it; what is not the pool's does so still.
  const answer = (xhr) => [
    xhr.responseURL,
    shown(xhr),
    xhr.getResponseHeader("Content-Length"),
    xhr.getResponseHeader("content-type"),
    xhr.getResponseHeader("x-none"),
  ];
  const state = (xhr) => [xhr.readyState, xhr.status, xhr.statusText, xhr.responseType, xhr.status === 0 ? [] : answer(xhr)];
  const ended = (xhr) => new Promise((resolve) => xhr.addEventListener("loadend", resolve));
  async function sent(url, { method = "GET", type = "arraybuffer", before, after, body } = {}) {
    const xhr = new XMLHttpRequest();
    const log = logged(xhr);
    xhr.open(method, url);
    xhr.responseType = type;
    const extra = await before?.(xhr, log);
    const over = ended(xhr);
    body === undefined ? xhr.send() : xhr.send(body);
    const more = await after?.(xhr, log);
    await over;
    return [log, state(xhr), extra ?? null, more ?? null];
  }
  const thrown = (work) => {
    try {
      work();
      return "fine";
    } catch (error) {
      return fault(error);
    }
  };
  const till = async (xhr, wanted) => {
    while (xhr.readyState < wanted) await wait(5);
  };

  const cases = {
    "fetch: whole": () => whole(fast()),
    "fetch: again": async () => [await whole(fast()), await whole(fast())],
    "fetch: text": async () => await (await fetch("/media/text.txt")).text(),
    "fetch: segment as text": async () => (await (await fetch(fast())).text()).length,
    "fetch: json": async () => (await (await fetch("/media/data.json")).json()).a,
    "fetch: json of bytes": () => attempt(async () => (await fetch(fast())).json()),
    "fetch: formData of bytes": () => attempt(async () => (await fetch(fast())).formData()),
    "fetch: blob": async () => {
      const blob = await (await fetch(fast())).blob();
      return [blob.size, blob.type, blob.constructor.name];
    },
    "fetch: stream": async () => drain((await fetch(fast())).body),
    "fetch: slow stream": async () => drain((await fetch(slow())).body),
    "fetch: tee": async () => {
      const [a, b] = (await fetch(fast())).body.tee();
      return Promise.all([drain(a), drain(b)]);
    },
    "fetch: pipeThrough": async () => drain((await fetch(fast())).body.pipeThrough(new TransformStream())),
    "fetch: clone": async () => {
      const r = await fetch(fast());
      const c = r.clone();
      return [head(c), brief(await c.arrayBuffer()), brief(await r.arrayBuffer())];
    },
    "fetch: clone of clone": async () => {
      const c = (await fetch(fast())).clone().clone();
      return [head(c), brief(await c.arrayBuffer())];
    },
    "fetch: clone after reading": () =>
      attempt(async () => {
        const r = await fetch(fast());
        await r.text();
        return r.clone();
      }),
    "fetch: read twice": () =>
      attempt(async () => {
        const r = await fetch(fast());
        await r.text();
        return r.text();
      }),
    "fetch: locked": () =>
      attempt(async () => {
        const r = await fetch(fast());
        r.body.getReader();
        return r.text();
      }),
    "fetch: cancel": async () => {
      const r = await fetch(slow());
      await r.body.cancel("enough");
      return [r.bodyUsed, await attempt(() => r.text())];
    },
    "fetch: instance": async () => {
      const p = fetch(fast());
      const r = await p;
      await r.text();
      return [
        p instanceof Promise,
        r instanceof Response,
        Object.prototype.toString.call(r),
        r.headers instanceof Headers,
        r.body instanceof ReadableStream,
      ];
    },
    "fetch: function": () => [fetch.name, fetch.length, typeof fetch],
    "fetch: headers": async () => {
      const r = await fetch(fast());
      await r.text();
      return [r.headers.has("content-length"), r.headers.has("x-none"), r.headers.get("Content-Type")];
    },
    "fetch: URL object": () => whole(new URL(fast(), location.href)),
    "fetch: relative": () => whole(fast().slice(1)),
    "fetch: fragment": () => whole(`${fast()}#t=1`),
    "fetch: Request": () => whole(new Request(fast())),
    "fetch: Request used twice": async () => {
      const q = new Request(fast());
      return [await whole(q), await whole(q), q.bodyUsed];
    },
    "fetch: Request and init": () =>
      whole(new Request(fast(), { method: "POST", body: "x" }), { method: "GET", body: null }).catch(fault),
    "fetch: range": () => whole(`/media/part-${number}.m4s`, { headers: { Range: "bytes=1000-2999" } }),
    "fetch: range in a Request": () => whole(new Request(`/media/part-${number}.m4s`, { headers: [["range", "bytes=1000-2999"]] })),
    "fetch: another range": () => whole(fast(), { headers: { Range: "bytes=5-9" } }),
    "fetch: open range": () => whole(fast(), { headers: { Range: "bytes=90000-" } }),
    "fetch: accept": () => whole(fast(), { headers: { Accept: "video/mp4" } }),
    "fetch: own header": () => whole(fast(), { headers: { "X-Mine": "1" } }),
    "fetch: HEAD": () => whole(fast(), { method: "HEAD" }),
    "fetch: lower case method": () => whole(fast(), { method: "get" }),
    "fetch: POST": async () => (await fetch(fast(), { method: "POST", body: "abc" })).json(),
    "fetch: POST FormData": async () => {
      const form = new FormData();
      form.append("a", "b");
      return (await fetch(fast(), { method: "POST", body: form })).json();
    },
    "fetch: PUT blob": async () => (await fetch(fast(), { method: "PUT", body: new Blob(["x"]) })).json(),
    "fetch: DELETE": async () => (await fetch(fast(), { method: "DELETE" })).json(),
    "fetch: GET with a body": () => attempt(() => fetch(fast(), { body: "x" })),
    "fetch: bad method": () => attempt(() => fetch(fast(), { method: "TR ACE" })),
    "fetch: bad URL": () => attempt(() => fetch("http://[")),
    "fetch: no argument": () => attempt(() => fetch()),
    "fetch: unknown scheme": () => attempt(() => fetch("none:x")),
    "fetch: data URL": async () => (await fetch("data:text/plain,abc")).text(),
    "fetch: 404": async () => {
      const r = await fetch("/media/missing.m4s");
      return [...head(r), await r.text()];
    },
    "fetch: 500": async () => {
      const r = await fetch("/media/broken.m4s");
      return [...head(r), await r.json()];
    },
    "fetch: 204": async () => {
      const r = await fetch("/media/none");
      return [r.status, r.body === null, await r.text()];
    },
    "fetch: empty": () => whole("/media/empty.m4s"),
    "fetch: aborted signal": () => attempt(() => fetch(fast(), { signal: AbortSignal.abort() })),
    "fetch: aborted signal with a reason": () => fetch(fast(), { signal: AbortSignal.abort("why") }).catch((reason) => reason),
    "fetch: abort at once": () =>
      attempt(() => {
        const c = new AbortController();
        const p = fetch(slow(), { signal: c.signal });
        c.abort();
        return p;
      }),
    "fetch: abort at once with a reason": async () => {
      const c = new AbortController();
      const p = fetch(slow(), { signal: c.signal });
      c.abort("why");
      return p.catch((reason) => reason);
    },
    "fetch: abort while the body comes": async () => {
      const c = new AbortController();
      const r = await fetch(slow(), { signal: c.signal });
      const read = attempt(() => r.arrayBuffer());
      c.abort();
      return [r.status, await read];
    },
    "fetch: abort a stream": async () => {
      const c = new AbortController();
      const r = await fetch(slow(), { signal: c.signal });
      const read = attempt(() => drain(r.body));
      c.abort();
      return read;
    },
    "fetch: abort of a Request": () =>
      attempt(() => {
        const c = new AbortController();
        const p = fetch(new Request(slow(), { signal: c.signal }));
        c.abort();
        return p;
      }),
    "fetch: init's signal counts": () =>
      attempt(() => {
        const c = new AbortController();
        const p = fetch(new Request(slow()), { signal: c.signal });
        c.abort();
        return p;
      }),
    "fetch: abort afterwards": async () => {
      const c = new AbortController();
      const seen = await whole(fast(), { signal: c.signal });
      c.abort();
      return seen;
    },
    // The standard has the signal's reason, a TimeoutError; Firefox has an AbortError once the body has begun to come.
    "fetch: timeout signal": async () => {
      const seen = await attempt(async () => (await fetch(slow(), { signal: AbortSignal.timeout(150) })).arrayBuffer());
      return String(seen).replace("AbortError", "TimeoutError");
    },
    "fetch: redirect": () => whole("/media/moved.m4s?own"),
    "fetch: redirect is an error": () => attempt(() => fetch("/media/moved.m4s", { redirect: "error" })),
    "fetch: redirect by hand": async () => {
      const r = await fetch("/media/moved.m4s", { redirect: "manual" });
      return [r.type, r.status];
    },
    "fetch: another origin": () => whole(cross()),
    "fetch: another origin without CORS": () => attempt(() => fetch(`${other}/media/closed-1.m4s`)),
    "fetch: no-cors": async () => {
      const r = await fetch(cross(), { mode: "no-cors" });
      return [r.type, r.status, r.url];
    },
    "fetch: same-origin mode elsewhere": () => attempt(() => fetch(cross(), { mode: "same-origin" })),
    "fetch: with credentials elsewhere": () => attempt(() => fetch(cross(), { credentials: "include" })),
    "fetch: without credentials": () => whole(fast(), { credentials: "omit" }),
    "fetch: no-store": () => whole(fast(), { cache: "no-store" }),
    "fetch: wrong integrity": () =>
      attempt(() => fetch(fast(), { integrity: "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" })),
    "fetch: keepalive": () => whole(fast(), { keepalive: true }),
    "fetch: referrer policy": () => whole(fast(), { referrerPolicy: "no-referrer" }),
    "fetch: three at once": () => Promise.all([whole(fast()), whole(fast()), whole(slow())]),
    "xhr: arraybuffer": () => sent(fast()),
    "xhr: slow arraybuffer": () => sent(slow()),
    "xhr: blob": () => sent(fast(), { type: "blob" }),
    "xhr: text": () => sent(fast(), { type: "text" }),
    "xhr: default type": () => sent(fast(), { type: "" }),
    "xhr: json": () => sent("/media/data.json", { type: "json" }),
    "xhr: json of bytes": () => sent(fast(), { type: "json" }),
    "xhr: document": () => sent("/media/doc.xml", { type: "document" }),
    "xhr: document of bytes": () => sent(fast(), { type: "document" }),
    "xhr: invalid type": () => sent(fast(), { type: "nothing" }),
    "xhr: another origin": () => sent(cross()),
    "xhr: another origin without CORS": () => sent(`${other}/media/closed-2.m4s`),
    "xhr: with credentials elsewhere": () =>
      sent(cross(), {
        before: (x) => {
          x.withCredentials = true;
        },
      }),
    "xhr: with credentials here": () =>
      sent(fast(), {
        before: (x) => {
          x.withCredentials = true;
          return x.withCredentials;
        },
      }),
    "xhr: 404": () => sent("/media/missing.m4s"),
    "xhr: 500 as text": () => sent("/media/broken.m4s", { type: "text" }),
    "xhr: empty": () => sent("/media/empty.m4s"),
    "xhr: redirect": () => sent("/media/moved.m4s?own"),
    "xhr: HEAD": () => sent(fast(), { method: "HEAD" }),
    "xhr: lower case method": () => sent(fast(), { method: "get" }),
    "xhr: POST": () => sent(fast(), { method: "POST", type: "json", body: "abc" }),
    "xhr: POST FormData": () => {
      const form = new FormData();
      form.append("a", "b");
      return sent(fast(), { method: "POST", type: "json", body: form });
    },
    "xhr: upload events": () => {
      const seen = [];
      return sent(fast(), {
        method: "POST",
        type: "json",
        body: "x".repeat(1000),
        before: (x) => {
          for (const kind of ["loadstart", "load", "loadend"])
            x.upload.addEventListener(kind, (e) => seen.push(`${kind} ${e.loaded}`));
          return seen;
        },
      });
    },
    "xhr: GET with a body": () => sent(fast(), { body: "x" }),
    "xhr: range": () => sent(`/media/part-${number}.m4s`, { before: (x) => x.setRequestHeader("Range", "bytes=1000-2999") }),
    "xhr: another range": () => sent(fast(), { before: (x) => x.setRequestHeader("range", "bytes=5-9") }),
    "xhr: own header": () => sent(fast(), { before: (x) => x.setRequestHeader("X-Mine", "1") }),
    "xhr: header twice": () =>
      sent(fast(), {
        before: (x) => {
          x.setRequestHeader("X-Mine", "1");
          x.setRequestHeader("x-mine", "2");
        },
      }),
    "xhr: forbidden header": () => sent(fast(), { before: (x) => thrown(() => x.setRequestHeader("Host", "x")) }),
    "xhr: bad header": () => sent(fast(), { before: (x) => thrown(() => x.setRequestHeader("a b", "x")) }),
    "xhr: header before open": () => thrown(() => new XMLHttpRequest().setRequestHeader("a", "b")),
    "xhr: header after send": () => sent(fast(), { after: (x) => thrown(() => x.setRequestHeader("a", "b")) }),
    "xhr: send twice": () => sent(slow(), { after: (x) => thrown(() => x.send()) }),
    "xhr: send before open": () => thrown(() => new XMLHttpRequest().send()),
    "xhr: send when done": async () => {
      const x = new XMLHttpRequest();
      x.open("GET", fast());
      x.responseType = "arraybuffer";
      x.send();
      await ended(x);
      return thrown(() => x.send());
    },
    "xhr: overrideMimeType": () => sent(fast(), { type: "blob", before: (x) => x.overrideMimeType("text/x-mine") }),
    "xhr: overrideMimeType of text": () =>
      sent(fast(), { type: "", before: (x) => x.overrideMimeType("text/plain; charset=x-user-defined") }),
    "xhr: overrideMimeType when done": async () => {
      const x = new XMLHttpRequest();
      x.open("GET", fast());
      x.responseType = "arraybuffer";
      x.send();
      await ended(x);
      return thrown(() => x.overrideMimeType("a/b"));
    },
    "xhr: type when done": async () => {
      const x = new XMLHttpRequest();
      x.open("GET", fast());
      x.responseType = "arraybuffer";
      x.send();
      await ended(x);
      return [
        thrown(() => {
          x.responseType = "blob";
        }),
        x.responseType,
      ];
    },
    "xhr: type after send": () =>
      sent(slow(), {
        type: "text",
        after: (x) => {
          x.responseType = "arraybuffer";
        },
      }),
    "xhr: type away from binary after send": () =>
      sent(slow(), {
        after: (x) =>
          thrown(() => {
            x.responseType = "text";
          }),
      }),
    "xhr: responseText of binary": () =>
      sent(fast(), {
        after: async (x) => {
          await ended(x);
          return [thrown(() => x.responseText), thrown(() => x.responseXML)];
        },
      }),
    "xhr: credentials after send": () =>
      sent(slow(), {
        after: (x) =>
          thrown(() => {
            x.withCredentials = true;
          }),
      }),
    "xhr: before anything": () => {
      const x = new XMLHttpRequest();
      return [...state(x), x.getAllResponseHeaders(), x.timeout, x.withCredentials];
    },
    "xhr: opened": () => {
      const x = new XMLHttpRequest();
      x.open("GET", fast());
      x.responseType = "arraybuffer";
      return state(x);
    },
    "xhr: just sent": () => sent(slow(), { after: (x) => state(x) }),
    "xhr: while it comes": () =>
      sent(slow(), {
        after: async (x) => {
          await till(x, 3);
          return [x.readyState, x.status, x.response === null, x.getResponseHeader("content-length")];
        },
      }),
    "xhr: abort before send": () => {
      const x = new XMLHttpRequest();
      const log = logged(x);
      x.open("GET", fast());
      x.abort();
      return [log, x.readyState];
    },
    "xhr: abort at once": () =>
      sent(slow(), {
        after: (x) => {
          x.abort();
          return "aborted";
        },
        before: (x, log) => {
          x.addEventListener("loadend", () => setTimeout(() => log.push("later"), 0));
        },
      }).then(([log, ...rest]) => wait(20).then(() => [log, ...rest])),
    "xhr: abort while it comes": () => {
      const out = [];
      const x = new XMLHttpRequest();
      const log = logged(x);
      x.open("GET", slow());
      x.responseType = "arraybuffer";
      x.send();
      return till(x, 3)
        .then(() => {
          x.abort();
          out.push(log, state(x));
          return wait(150);
        })
        .then(() => out);
    },
    "xhr: abort in loadstart": async () => {
      const x = new XMLHttpRequest();
      const log = logged(x);
      x.open("GET", slow());
      x.responseType = "arraybuffer";
      x.addEventListener("loadstart", () => x.abort());
      x.send();
      await wait(150);
      return [log, state(x)];
    },
    "xhr: abort when done": async () => {
      const x = new XMLHttpRequest();
      const log = logged(x);
      x.open("GET", fast());
      x.responseType = "arraybuffer";
      x.send();
      await ended(x);
      x.abort();
      return [log, state(x)];
    },
    "xhr: send after abort": async () => {
      const x = new XMLHttpRequest();
      x.open("GET", slow());
      x.responseType = "arraybuffer";
      x.send();
      x.abort();
      return thrown(() => x.send());
    },
    "xhr: timeout": () =>
      sent(slow(), {
        before: (x) => {
          x.timeout = 150;
        },
      }),
    "xhr: timeout long enough": () =>
      sent(fast(), {
        before: (x) => {
          x.timeout = 9000;
          return x.timeout;
        },
      }),
    "xhr: timeout set later": () =>
      sent(slow(), {
        after: async (x) => {
          await till(x, 2);
          x.timeout = 100;
          return x.timeout;
        },
      }),
    "xhr: timeout taken back": () =>
      sent(slow(), {
        before: (x) => {
          x.timeout = 150;
        },
        after: (x) => {
          x.timeout = 0;
        },
      }),
    "xhr: opened again while it comes": async () => {
      const x = new XMLHttpRequest();
      const log = logged(x);
      x.open("GET", slow());
      x.responseType = "arraybuffer";
      x.send();
      await till(x, 3);
      x.open("GET", fast());
      const mid = x.readyState;
      const over = ended(x);
      x.send();
      await over;
      return [log, mid, state(x)];
    },
    "xhr: used twice": async () => {
      const x = new XMLHttpRequest();
      const log = logged(x);
      for (const url of [fast(), slow()]) {
        x.open("GET", url);
        x.responseType = "arraybuffer";
        const over = ended(x);
        x.send();
        await over;
      }
      return [log, state(x)];
    },
    "xhr: segment, then text": async () => {
      const x = new XMLHttpRequest();
      const log = logged(x);
      for (const [url, type] of [
        [fast(), "arraybuffer"],
        ["/media/text.txt", "text"],
      ]) {
        x.open("GET", url);
        x.responseType = type;
        const over = ended(x);
        x.send();
        await over;
      }
      return [log, state(x), x.responseText];
    },
    "xhr: handlers": () => {
      const seen = [];
      return sent(fast(), {
        before: (x) => {
          for (const kind of KINDS)
            x[`on${kind}`] = function (event) {
              if (kind !== "progress" && kind !== "readystatechange")
                seen.push(`${kind} ${this === x} ${event.target === x} ${event.constructor.name}`);
            };
          return seen;
        },
      });
    },
    "xhr: handler taken off": () => {
      const seen = [];
      return sent(fast(), {
        before: (x) => {
          x.onload = () => seen.push("load");
          x.onload = null;
          return seen;
        },
      });
    },
    "xhr: final progress": () => {
      const seen = [];
      return sent(slow(), {
        before: (x) => {
          x.onload = (e) => seen.push([e.loaded, e.total, e.lengthComputable]);
          x.onloadstart = (e) => seen.push([e.loaded, e.total, e.lengthComputable]);
          return seen;
        },
      });
    },
    "xhr: progress grows": () => {
      let last = 0;
      let fine = true;
      return sent(slow(), {
        before: (x) => {
          x.onprogress = (e) => {
            fine &&= e.loaded >= last && e.total === 98304 && e.lengthComputable;
            last = e.loaded;
          };
        },
        after: async (x) => {
          await ended(x);
          return [fine, last];
        },
      });
    },
    "xhr: headers as text": () =>
      sent(fast(), {
        after: async (x) => {
          await ended(x);
          return x
            .getAllResponseHeaders()
            .split("\r\n")
            .filter((line) => /^content-(length|type)/.test(line));
        },
      }),
    "xhr: fragment": () => sent(`${fast()}#t=1`),
    "xhr: URL object": () => sent(new URL(fast(), location.href)),
    "xhr: bad URL": () => thrown(() => new XMLHttpRequest().open("GET", "http://[")),
    "xhr: bad method": () => thrown(() => new XMLHttpRequest().open("TRACE", "/")),
    "xhr: user and password": async () => {
      const x = new XMLHttpRequest();
      x.open("GET", fast(), true, "u", "p");
      x.responseType = "arraybuffer";
      x.send();
      await ended(x);
      return [x.status, shown(x)];
    },
    "xhr: synchronous": () => {
      const x = new XMLHttpRequest();
      const log = logged(x);
      x.open("GET", fast(), false);
      x.send();
      return [log, x.status, x.responseText.length];
    },
    "xhr: synchronous 404": () => {
      const x = new XMLHttpRequest();
      x.open("GET", "/media/missing.m4s", false);
      x.send();
      return [x.status, x.responseText];
    },
    "xhr: synchronous with a type": () => {
      const x = new XMLHttpRequest();
      x.open("GET", fast(), false);
      return thrown(() => {
        x.responseType = "arraybuffer";
      });
    },
    "xhr: class": () => {
      const x = new XMLHttpRequest();
      const { upload } = x;
      return [
        XMLHttpRequest.name,
        XMLHttpRequest.length,
        XMLHttpRequest.DONE,
        x.LOADING,
        x instanceof XMLHttpRequest,
        x instanceof EventTarget,
        Object.prototype.toString.call(x),
        x.constructor === XMLHttpRequest,
        x.upload === upload,
        thrown(() => XMLHttpRequest()),
        "onload" in x,
        "withCredentials" in x,
      ];
    },
    "xhr: extended by a page": async () => {
      class Own extends XMLHttpRequest {
        open(...args) {
          this.mine = args[1];
          super.open(...args);
        }
      }
      const x = new Own();
      x.open("GET", fast());
      x.responseType = "arraybuffer";
      x.send();
      await ended(x);
      return [x instanceof Own, x.mine, state(x)];
    },
    "xhr: patched by a page": async () => {
      const { send } = XMLHttpRequest.prototype;
      let calls = 0;
      XMLHttpRequest.prototype.send = function (...args) {
        calls += 1;
        return send.apply(this, args);
      };
      try {
        return [await sent(fast()), calls];
      } finally {
        XMLHttpRequest.prototype.send = send;
      }
    },
    "xhr: three at once": () => Promise.all([sent(fast()), sent(fast()), sent(slow())]),
  };

  window.conformance = async (served) => {
    if (served) {
      await (await fetch("/media/p.m3u8")).text();
      await (await fetch(`${other}/media/p.m3u8`)).text();
    }
    const results = {};
    const run = async ([name, work], index) => {
      number = index;
      results[name] = await attempt(() => Promise.race([work(), wait(8000).then(() => "nothing for 8 s")]));
    };
    const entries = Object.entries(cases);
    for (const [index, entry] of entries.entries()) await run(entry, index);
    return results;
  };
})();
