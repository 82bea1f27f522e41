"""The style sheet of the HTML export: light and dark screens, phones and paper. Loads nothing."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --text: light-dark(#1b2026, #e6e9ec); --muted: light-dark(#5b6570, #98a2ad); --line: light-dark(#dfe3e8, #32373d);
  --page: light-dark(#fcfcfd, #16181b); --surface: light-dark(#f3f5f7, #1f2226); --tint: light-dark(#e9eff6, #25303b);
  --brown: light-dark(#8a3b12, #e5a97a); --green: light-dark(#2f6f44, #93cf9f); --blue: light-dark(#2f5d8c, #8ab8e6);
  --violet: light-dark(#7a3e9d, #c8a2e0); --red: light-dark(#b3261e, #f2938c);
  --mono: ui-monospace, "SF Mono", "Noto Sans Mono", Menlo, Consolas, monospace;
}
*, ::before, ::after { box-sizing: border-box; }
body { max-width: 46rem; margin: 0 auto; padding: 1rem 1rem 4rem; overflow-wrap: anywhere; }
body { font: 16px/1.6 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; }
body { color: var(--text); background: var(--page); }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 3rem 0 0; }
h1 + p { margin: 0.25rem 0 2rem; color: var(--muted); font-size: 0.8rem; }
h2 { margin: 2rem 0 0.5rem; color: var(--muted); font-size: 0.8rem; font-weight: 600; }
h3, h4, h5, h6 { margin: 1.5em 0 0.5em; font-size: 1.05rem; line-height: 1.3; } h3 { font-size: 1.2rem; }
p, ul, ol, blockquote, figure, pre, .table { margin: 0.75em 0; }
a { color: var(--blue); }
.user { padding: 0.1rem 1rem; border-radius: 10px; background: var(--tint); }
.plain { white-space: pre-wrap; }
.note { color: var(--muted); font-style: italic; } .failed .note { color: var(--red); }
pre, code { font: 14px/1.5 var(--mono); }
pre { padding: 0.75rem; overflow-x: auto; }
pre { border: 1px solid var(--line); border-radius: 10px; background: var(--surface); }
:not(pre) > code { padding: 0.1em 0.3em; border-radius: 4px; background: var(--surface); font-size: 0.875em; }
.code { border: 1px solid var(--line); border-radius: 10px; background: var(--surface); overflow: hidden; }
.code figcaption { padding: 2px 0.75rem; border-bottom: 1px solid var(--line); color: var(--muted); font-size: 12px; }
.code pre { margin: 0; border: 0; border-radius: 0; background: none; }
.code :is(.c, .c1, .cm, .ch, .cs) { color: var(--muted); font-style: italic; }
.code :is(.k, .kn, .kd, .kc, .kr, .kt, .ow, .nt) { color: var(--violet); }
.code :is(.s, .s1, .s2, .sb, .sc, .sd, .se, .sh, .si, .sr, .ss, .sx, .na) { color: var(--green); }
.code :is(.m, .mi, .mf, .mh, .mo, .mb, .il, .no, .bp) { color: var(--brown); }
.code :is(.nf, .fm, .nc, .nb, .nd, .ne, .nn) { color: var(--blue); }
.code .gi { color: var(--green); } .code .gd { color: var(--red); }
button { display: none; }
.table { overflow-x: auto; } table { width: max-content; border-collapse: collapse; margin: 0; }
td, th { padding: 4px 10px; border: 1px solid var(--line); text-align: start; vertical-align: top; }
td, th { max-width: 20rem; overflow-wrap: break-word; }
[data-align="right"] { text-align: end; } [data-align="center"] { text-align: center; }
blockquote { margin-inline: 0; padding-inline-start: 1rem; border-inline-start: 3px solid var(--line); }
blockquote { color: var(--muted); }
details { margin: 0.75em 0; } summary { cursor: pointer; color: var(--muted); font-size: 0.875rem; }
summary > * { display: inline; }
details > :not(summary) { margin-inline-start: 1rem; } .reasoning > .plain { color: var(--muted); }
img { max-width: 100%; max-height: 40rem; border-radius: 10px; }
.bidi { display: inline-block; }
.formula { display: block; overflow: auto hidden; } .footnote { font-size: 0.875em; color: var(--muted); }
mtd.left { text-align: left; justify-items: start; } mtd.right { text-align: right; justify-items: end; }
mtd.joined-left { padding-left: 0; } mtd.joined-right { padding-right: 0; } mtd.tight { padding-block: 0; }
mtd.apart, mtd.right.joined-right:not(:first-child) { padding-left: 1em; } mspace.closer { margin-left: -0.1667em; }
.line-above { border-top: 0.05em solid; } .line-below { border-bottom: 0.05em solid; }
.line-left { border-left: 0.05em solid; } .line-right { border-right: 0.05em solid; }
mrow:is(.line-above, .line-below) { padding-block: 0.1em; }
.boxed { border: 0.05em solid; padding: 0.2em 0.35em; }
.struck { background: linear-gradient(to top right, transparent 48%, currentcolor 49% 51%, transparent 52%); }
@media print {
  :root { color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 11pt; background: none; }
  h1 { break-before: page; } h1:first-of-type { break-before: auto; margin-top: 0; }
  h1, h2, h3, h4, h5, h6, summary, figcaption { break-after: avoid; }
  .user { border: 1px solid var(--line); background: none; break-inside: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; } .code { overflow: visible; }
  tr, img, .formula { break-inside: avoid; } table { width: auto; }
  table:has(tr > :nth-child(8)) { font-size: 10px; } table:has(tr > :nth-child(15)) { font-size: 7px; }
  table:has(tr > :nth-child(8)) :is(td, th) { padding: 2px; overflow-wrap: anywhere; }
  a:not(.bare, [href^="#"])::after { content: " (" attr(href) ")"; font-size: 0.8em; color: var(--muted); }
  .reasoning:not([open]) { display: none; }
  details:is(:not([class]), .file)::details-content { content-visibility: visible; }
}
"""
