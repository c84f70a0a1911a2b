/** The dashboard's style sheet. Contrast of text is at least 4.5, of marks at least 3. */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --page: #f4f6f8; --card: #ffffff; --line: #d9dfe6; --text: #17202b; --muted: #556272;
  --accent: #0a66c2; --second: #c2571a; --good: #1a7f4b; --bad: #b3261e; --bad-page: #fdecea;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f141a; --card: #19212b; --line: #2c3846; --text: #e8edf3; --muted: #9dabbb;
    --accent: #62aef7; --second: #f0a05a; --good: #5cc98d; --bad: #ff8a80; --bad-page: #3a1b1a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
header, main, footer { max-width: 1240px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 16px; padding-top: 18px; }
h1 { font-size: 22px; margin: 0 auto 0 0; letter-spacing: -.01em; }
h2 { font-size: 16px; margin: 26px 0 10px; }
h3 { font-size: 14px; margin: 0; }
p, dl, dd, ol, ul, figure { margin: 0; padding: 0; }
ol, ul { list-style: none; }
a { color: var(--accent); text-underline-offset: 2px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
button {
  font: inherit; font-size: 13px; color: var(--text); background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; padding: 5px 12px; cursor: pointer;
}
.status { font-size: 13px; color: var(--muted); display: flex; align-items: center; gap: 8px; }
.status::before {
  content: ""; width: 9px; height: 9px; border-radius: 50%; background: var(--muted);
}
.status[data-state="live"]::before { background: var(--good); }
.status[data-state="lost"]::before { background: var(--bad); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.note { color: var(--muted); font-size: 13px; }
.empty { padding: 18px; color: var(--muted); }
.alert, .notice { padding: 12px 16px; border-radius: 12px; margin-bottom: 12px; border: 1px solid var(--line); }
.alert { background: var(--bad-page); border-color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; }
.tile { padding: 12px 16px; min-width: 0; overflow-wrap: anywhere; }
.tile dt { font-size: 13px; color: var(--muted); }
.value { font-size: 24px; font-weight: 600; letter-spacing: -.02em; line-height: 1.3; }
.tile.bad .value { color: var(--bad); }
meter { display: block; width: 100%; height: 8px; margin: 4px 0 5px; border: 0; border-radius: 4px; background: var(--line); }
meter::-webkit-meter-bar { height: 8px; border: 0; border-radius: 4px; background: var(--line); }
meter::-webkit-meter-optimum-value { border-radius: 4px; background: var(--accent); }
meter::-moz-meter-bar { border-radius: 4px; background: var(--accent); }
progress { appearance: none; width: 100%; height: 8px; border: 0; border-radius: 4px; overflow: hidden; background: var(--line); }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
progress:indeterminate { background: repeating-linear-gradient(-45deg, var(--accent) 0 8px, var(--line) 8px 16px); }
progress:indeterminate::-webkit-progress-bar { background: transparent; }
progress:indeterminate::-moz-progress-bar { background: transparent; }
.charts, .tables { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; align-items: start; }
.chart { padding: 14px 16px 10px; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; margin-bottom: 8px; }
figcaption p { color: var(--muted); font-size: 13px; }
.legend { display: flex; gap: 12px; margin-left: auto; font-size: 13px; color: var(--muted); }
.legend li { display: flex; align-items: center; gap: 6px; }
.swatch { width: 10px; height: 10px; border-radius: 3px; }
.swatch.series-1 { background: var(--accent); }
.swatch.series-2 { background: var(--second); }
svg { display: block; width: 100%; height: 110px; border-bottom: 1px solid var(--line); }
path.series-1 { fill: var(--accent); }
path.series-2 { fill: var(--second); }
path.line { fill: none; stroke: var(--second); stroke-width: 2.5; vector-effect: non-scaling-stroke; }
.axis { display: flex; justify-content: space-between; color: var(--muted); font-size: 12px; padding-top: 4px; }
.downloads li { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 2fr) minmax(0, 1.4fr); gap: 4px 16px; align-items: center; padding: 10px 16px; }
.downloads li + li, .events li + li, tbody tr { border-top: 1px solid var(--line); }
.name, .url { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
table { width: 100%; border-collapse: separate; border-spacing: 0; table-layout: fixed; overflow: hidden; }
caption { text-align: left; font-weight: 600; font-size: 14px; padding: 0 2px 8px; }
th, td { padding: 8px 8px; font-weight: 400; text-align: left; vertical-align: middle; }
tbody th, tbody td { border-top: 1px solid var(--line); }
th:first-child { padding-left: 16px; }
th:last-child, td:last-child { padding-right: 16px; }
thead th { color: var(--muted); font-size: 12px; }
.number { text-align: right; width: 96px; white-space: nowrap; }
.number:nth-child(3) { width: 56px; }
.number:last-child { width: 104px; font-size: 13px; color: var(--muted); }
.entry { display: flex; gap: 10px; align-items: center; min-width: 0; }
.entry > div { min-width: 0; display: flex; flex-direction: column; }
.entry a { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.entry .note { font-size: 12px; }
.thumbnail {
  flex: none; width: 48px; height: 48px; border-radius: 8px; object-fit: cover; background: var(--line);
  color: var(--muted); display: grid; place-items: center; font-size: 12px; overflow: hidden;
}
.events { padding: 4px 0; }
.events li { display: grid; grid-template-columns: 88px 110px minmax(0, 1fr); gap: 4px 12px; padding: 6px 16px; font-size: 14px; overflow-wrap: anywhere; }
.events time { color: var(--muted); white-space: nowrap; }
.events .url { display: block; }
.events .bad .label { color: var(--bad); font-weight: 600; }
.viewer { margin-top: 16px; padding: 16px; text-align: center; }
.viewer img, .viewer video { max-width: 100%; max-height: 70vh; border-radius: 6px; }
.viewer audio { width: 100%; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 20px; padding: 14px 16px; margin-top: 12px; overflow-wrap: anywhere; }
.facts dt { color: var(--muted); }
h1 { overflow-wrap: anywhere; }
footer { padding-top: 26px; padding-bottom: 30px; color: var(--muted); font-size: 13px; }
footer nav ul { display: flex; flex-wrap: wrap; gap: 6px 18px; }
@media (max-width: 900px) {
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .charts, .tables { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 560px) {
  header, main, footer { padding-left: 12px; padding-right: 12px; }
  .tile { padding: 10px 12px; }
  .value { font-size: 20px; }
  .downloads li { grid-template-columns: minmax(0, 1fr); }
  .legend { margin-left: 0; width: 100%; }
  .number { width: 80px; padding-left: 4px; padding-right: 4px; }
  .number:nth-child(3) { width: 56px; padding-right: 14px; }
  .number:last-child { display: none; }
  .events li { grid-template-columns: 88px minmax(0, 1fr); padding: 8px 12px; }
  .events li > :last-child { grid-column: 1 / -1; }
}
`;
