"""What all plots share.  Each brings its own ground, which follows the colour scheme that the reader's
browser prefers: so a plot can be read on a light page and on a dark one."""

GROUND, INK, GRID, AXIS = "ground", "ink", "grid", "axis"  # Classes of elements.
LIGHT = {GROUND: "#ffffff", INK: "#24292f", GRID: "#d8dee4", AXIS: "#8c959f",
         "echo": "#6e7781", "disk": "#8a6500", "etcd": "#3366cc", "Redis": "#c0392b",
         "Gavel": "#1e8449"}
DARK = {GROUND: "#0d1117", INK: "#e6edf3", GRID: "#30363d", AXIS: "#7d8590",
        "echo": "#9ba4ae", "disk": "#d9a514", "etcd": "#79a6ff", "Redis": "#ff8278",
        "Gavel": "#4cc27f"}
SYSTEMS = ["echo", "disk", "etcd", "Redis", "Gavel"]  # Elements in the class of one have its colour.


def rules(colours):
    ground = colours[GROUND]
    return "".join(
        [f".{GROUND}{{fill:{ground}}}", f"text{{fill:{colours[INK]}}}",
         f".{GRID}{{stroke:{colours[GRID]}}}", f".{AXIS}{{stroke:{colours[AXIS]}}}",
         f".halo{{stroke:{ground};stroke-width:3;paint-order:stroke}}"]
        + [f".{system}{{color:{colours[system]}}}" for system in SYSTEMS])


def begin(width, height, size=12):
    """Lines of the beginning; `size` is that of letters."""
    return [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="{size}">',
            f"<style>{rules(LIGHT)}.own{{fill:currentColor}}",
            f"@media (prefers-color-scheme:dark){{{rules(DARK)}}}</style>",
            f'<rect class="{GROUND}" width="{width}" height="{height}" rx="6"/>']


def end(lines):
    return "\n".join(lines + ["</svg>"]) + "\n"


def text(x, y, content, anchor="start", extra=""):
    content = content.replace("&", "&amp;").replace("<", "&lt;")
    extra = extra and " " + extra
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{content}</text>'


def label(x, y, content, system, anchor="start"):
    """In the system's colour, and legible on top of lines."""
    return text(x, y, content, anchor, f'class="{system} own halo"')
