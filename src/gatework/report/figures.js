// Draws each figure when it first has a width, in the colours of the page, and keeps its legend and range buttons.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const NARROW = 600;
  const coarse = matchMedia("(pointer: coarse)").matches;

  const theme = () => {
    const css = getComputedStyle(document.documentElement);
    const read = (name) => css.getPropertyValue(`--${name}`).trim();
    const scale = (name) => read(name).split(" ").map((colour, i, list) => [i / (list.length - 1), colour]);
    const ink = read("ink");
    const soft = { color: read("soft") };
    const axis = {
      gridcolor: read("rule"), zerolinecolor: read("strong-rule"), linecolor: read("strong-rule"),
      tickfont: soft, title: { font: { ...soft, size: 13 } },
    };
    return {
      layout: {
        font: { family: css.fontFamily, size: 13, color: ink },
        colorway: [ink],
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: axis,
        yaxis: axis,
        hoverlabel: { bgcolor: read("paper"), bordercolor: read("strong-rule"), font: { family: css.fontFamily, color: ink } },
        colorscale: { sequential: scale("opening"), diverging: scale("swing") },
      },
    };
  };

  // The page writes an x that several traces share once.
  const unfold = (data) => data.forEach((trace, i) => (trace.x ??= data[i - 1]?.x));

  // What is in sight decides the height of the picture, so that a zoom shows more and not just wider.
  const plainTime = (time) => (typeof time === "string" ? time.replace("T", " ") : time);
  const extent = (plot, name) => {
    const [from, to] = plot._fullLayout.xaxis.range.map(plainTime);
    let [low, high] = [Infinity, -Infinity];
    for (const trace of plot.data) {
      if ((trace.yaxis ?? "y") !== name || trace.visible === "legendonly") continue;
      trace.y.forEach((value, i) => {
        const time = plainTime(trace.x[i]);
        if (value === null || time < from || time > to) return;
        low = Math.min(low, value);
        high = Math.max(high, value);
      });
    }
    const pad = 0.06 * (high - low) || Math.abs(high) * 0.05 || 1;
    return low <= high ? [low - pad, high + pad] : null;
  };
  const fit = (plot) => {
    const [above, below] = [extent(plot, "y"), extent(plot, "y2")];
    const far = below && Math.max(...below.map(Math.abs));
    const change = {};
    if (above) change["yaxis.range"] = above;
    if (far) change["yaxis2.range"] = [-far, far];
    return Plotly.relayout(plot, change);
  };

  const press = (button, group) => group.forEach((other) => other.setAttribute("aria-pressed", other === button));
  const time = (plot) => plot.data.find((trace) => trace.name === "truth").x;

  const ranged = (plot, buttons) => {
    const show = async (button) => {
      const size = Number(button.dataset.last);
      const x = time(plot);
      // Both axes: plotly leaves the lower one on autorange, and it then holds the upper one.
      const change = size ? { range: [x[Math.max(0, x.length - size)], x[x.length - 1]], autorange: false } : { autorange: true };
      const both = ["xaxis", "xaxis2"].flatMap((axis) => Object.entries(change).map(([key, value]) => [`${axis}.${key}`, value]));
      await Plotly.relayout(plot, Object.fromEntries(both));
      press(button, buttons);
    };
    for (const button of buttons) button.addEventListener("click", () => show(button));
    plot.on("plotly_relayout", (event) => {
      if (!Object.keys(event).some((key) => key.startsWith("xaxis"))) return;
      press(null, buttons);
      fit(plot);
    });
    // A narrow page has room for fewer points.
    return buttons.length && plot.clientWidth < NARROW ? show(buttons[0]) : fit(plot);
  };

  const toggled = (plot, chips, after) => {
    for (const chip of chips) {
      chip.addEventListener("click", async () => {
        const on = chip.getAttribute("aria-pressed") !== "true";
        chip.setAttribute("aria-pressed", on);
        const members = plot.data.flatMap((trace, i) => (trace.legendgroup === chip.dataset.group ? [i] : []));
        await Plotly.restyle(plot, { visible: on ? true : "legendonly" }, members);
        after();
      });
    }
  };

  const draw = async (plot) => {
    const figure = plot.closest("figure");
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    unfold(data);
    layout.template = theme();
    if (plot.clientWidth < NARROW) layout.xaxis.nticks = 4;
    const zooms = layout.meta === "zoom";
    if (zooms && !coarse) {
      layout.dragmode = "zoom";
      for (const axis of [layout.xaxis, layout.xaxis2]) axis.fixedrange = false;
    }
    await Plotly.newPlot(plot, data, layout, { displayModeBar: false, doubleClick: "autosize", showTips: false });
    toggled(plot, all(".chip", figure), () => zooms && fit(plot));
    if (zooms) await ranged(plot, all(".ranges button", figure));
    plot.dataset.drawn = "true";
  };

  const watcher = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      if (!contentRect.width) continue;
      if (target.dataset.drawn === "true") Plotly.Plots.resize(target);
      else if (!target.dataset.drawn) {
        target.dataset.drawn = "soon";
        draw(target);
      }
    }
  });
  for (const plot of all(".plot")) watcher.observe(plot);
  dark.addEventListener("change", () => {
    for (const plot of all(".plot[data-drawn=true]")) Plotly.relayout(plot, { template: theme() });
  });
})();
