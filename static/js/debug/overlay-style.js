/** How the debugging overlay looks. */

// Contrasts of text are 7 to 1 or more. Sources differ in lightness and shape too, not in hue alone.
export const CSS = `
:host { all: initial; position: fixed; z-index: 2147483001; inset-block-end: 0; inset-inline-end: 0; box-sizing: border-box;
  inline-size: min(34rem, 100vw); font: 13px/1.45 system-ui, sans-serif; color-scheme: light dark;
  --ground: #ffffff; --ink: #1a1e24; --faint: #4a525d; --edge: #5d6672; --peers: #0b7a52; --both: #6a55c9; --cdn: #d39a2d; }
@media (prefers-color-scheme: dark) { :host { --ground: #161a20; --ink: #f1f3f5; --faint: #b4bdc8; --edge: #9aa4b1; --peers: #3ecf98; --both: #a99af5; --cdn: #8a6a25; } }
section { box-sizing: border-box; max-height: 70vh; overflow: auto; padding: .75rem 1rem 1rem; border: 1px solid var(--edge);
  background: var(--ground); color: var(--ink); text-align: start; }
header { display: flex; justify-content: space-between; align-items: center; gap: 1rem; position: sticky; top: -.75rem; background: var(--ground); }
h2 { font-size: 1rem; margin: 0; } h3 { font-size: .85rem; margin: .75rem 0 .25rem; color: var(--faint); } p { margin: .15rem 0; }
button { font: inherit; min-height: 44px; min-width: 44px; padding: 0 1rem; border: 1px solid var(--edge); border-radius: .4rem; background: none;
  color: inherit; cursor: pointer; }
dl { display: grid; grid-template-columns: minmax(8rem, auto) minmax(0, 1fr); gap: .1rem 1rem; margin: 0; } dt { color: var(--faint); }
dd { margin: 0; text-align: end; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: start; padding: .1rem .4rem .1rem 0; vertical-align: top; font-weight: normal; } th { color: var(--faint); }
.map { display: flex; flex-wrap: wrap; gap: 2px; }
i { display: inline-block; inline-size: 8px; block-size: 14px; border-radius: 2px; margin-inline-end: .3em; vertical-align: -2px; } .map i { margin: 0; }
i.peers { background: var(--peers); } i.both { background: linear-gradient(var(--peers) 50%, var(--cdn) 50%); } i.cdn { background: var(--cdn); block-size: 8px; align-self: end; }
section:focus { outline: none; } button:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
`;
