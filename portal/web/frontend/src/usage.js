// Draw the table of usage by day as stacked columns.  The table is the source: its cells carry the values, so
// the chart can never say anything the table does not.
import uPlot from "uplot";

const locale = document.documentElement.lang;
const number = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
const day = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", timeZone: "UTC" });

function readTable(table) {
  const heads = [...table.querySelectorAll("thead [data-series]")];
  const rows = [...table.querySelectorAll("tbody tr[data-day]")];
  const days = rows.map((row) => Date.parse(row.dataset.day) / 1000);
  const columns = heads.map((head) =>
    rows.map((row) => Number(row.querySelector(`[data-of="${head.dataset.series}"]`)?.dataset.value ?? 0)),
  );
  return { labels: heads.map((head) => head.textContent.trim()), days, columns };
}

// Each layer is drawn from the ground up, tallest first, so that what shows of it is its own share.
function stack(columns) {
  const sums = [];
  columns.forEach((column, index) => {
    sums.push(column.map((value, row) => value + (index ? sums[index - 1][row] : 0)));
  });
  return sums.reverse();
}

function colourOf(index) {
  const probe = document.createElement("span");
  probe.className = `series-${(index % 6) + 1} swatch`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).backgroundColor;
  probe.remove();
  return colour;
}

function optionsFor(holder, labels, ink, rule) {
  const axis = { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 }, font: "12px Pretendard Variable" };
  return {
    width: holder.clientWidth,
    height: 240,
    cursor: { show: false },
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: { x: { time: true, range: (_, low, high) => [low - 43200, high + 43200] }, y: { range: (_, __, high) => [0, high * 1.08 || 1] } },
    axes: [
      { ...axis, grid: { show: false }, incrs: [86400, 2 * 86400, 7 * 86400], values: (_, marks) => marks.map((mark) => day.format(mark * 1000)) },
      { ...axis, size: 56, values: (_, marks) => marks.map((mark) => number.format(mark)) },
    ],
    series: [
      {},
      ...labels
        .map((label, index) => ({
          label,
          fill: colourOf(index),
          width: 0,
          points: { show: false },
          paths: uPlot.paths.bars({ size: [0.7, 36] }),
        }))
        .reverse(),
    ],
  };
}

function draw(holder) {
  const table = document.getElementById(holder.dataset.table);
  const { labels, days, columns } = readTable(table);
  if (!days.length) return;
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--color-base-content");
  const rule = style.getPropertyValue("--color-base-300");
  const plot = new uPlot(optionsFor(holder, labels, ink, rule), [days, ...stack(columns)], holder);
  new ResizeObserver(() => plot.setSize({ width: holder.clientWidth, height: 240 })).observe(holder);
}

document.querySelectorAll("[data-chart]").forEach(draw);
