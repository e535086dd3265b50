// Runs in a viewer's page before any script of it: its tracker seems to say INTEGRITY in the welcome (docs/adr/0012).
// So one stream can be watched with the defence and without, whatever the tracker itself was set up to say.
(() => {
  const data = Object.getOwnPropertyDescriptor(MessageEvent.prototype, "data");
  Object.defineProperty(MessageEvent.prototype, "data", {
    ...data,
    get() {
      const value = data.get.call(this);
      if (typeof value !== "string" || !value.includes('"type":"welcome"')) return value;
      // biome-ignore lint/correctness/noUndeclaredVariables: stage.py puts the value in its place
      return JSON.stringify({ ...JSON.parse(value), integrity: INTEGRITY });
    },
  });
})();
