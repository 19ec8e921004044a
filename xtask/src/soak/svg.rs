//! Draws lines over time as an SVG that reads on light and on dark ground.

use std::fmt::Write as _;

/// The picture's size.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
/// Room for titles and labels: left, top, right, bottom.
const LEFT: f64 = 64.0;
const TOP: f64 = 84.0;
const RIGHT: f64 = 24.0;
const BOTTOM: f64 = 52.0;
/// Points of a line that are drawn.
const POINTS_MAX: usize = 900;

/// A line of the picture.
pub(crate) struct Series {
    /// What it shows.
    pub(crate) name: String,
    /// Its colour, readable on both grounds.
    pub(crate) colour: &'static str,
    /// Whether it is dashed.
    pub(crate) dashed: bool,
    /// Its points, in order.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A mark on the time axis.
pub(crate) struct Mark {
    /// Where.
    pub(crate) x: f64,
    /// Its colour.
    pub(crate) colour: &'static str,
}

/// A picture of lines over one axis.
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    /// Up to here the ground is shaded.
    pub(crate) shaded_until: f64,
    pub(crate) series: Vec<Series>,
    /// What the marks mean, with the colour of each.
    pub(crate) legend: Vec<(String, &'static str)>,
    pub(crate) marks: Vec<Mark>,
}

impl Chart {
    /// The whole file.
    pub(crate) fn draw(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x_max = points().map(|point| point.0).fold(0.0, f64::max);
        let (x_step, x_max) = (step(x_max, 10.0), x_max.max(f64::MIN_POSITIVE));
        let y_step = step(points().map(|point| point.1).fold(0.0, f64::max) * 1.05, 8.0);
        let y_max = (points().map(|point| point.1).fold(0.0, f64::max) * 1.05 / y_step).ceil().max(1.0) * y_step;
        let scale = Scale { x_max, y_max };
        let mut svg = head();
        self.titles(&mut svg);
        self.axes(&mut svg, &scale, x_step, y_step);
        for mark in self.marks.iter().filter(|mark| mark.x >= 0.0 && mark.x <= x_max) {
            let x = scale.x(mark.x);
            let (top, bottom) = (TOP - 10.0, TOP - 1.0);
            add(&mut svg, &format!("<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"{}\" stroke-width=\"1.5\"/>", mark.colour));
        }
        for series in &self.series {
            let dash = if series.dashed { " stroke-dasharray=\"6 4\"" } else { "" };
            let path = path(&series.points, &scale);
            add(&mut svg, &format!("<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"{dash}/>", series.colour));
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn titles(&self, svg: &mut String) {
        add(svg, &format!("<text class=\"title\" x=\"{LEFT}\" y=\"22\">{}</text>", escape(&self.title)));
        add(svg, &format!("<text x=\"{LEFT}\" y=\"41\">{}</text>", escape(&self.subtitle)));
        let mut x = LEFT;
        let lines = self.series.iter().map(|series| (&series.name, series.colour, if series.dashed { "6 4" } else { "none" }));
        let marks = self.legend.iter().map(|(name, colour)| (name, *colour, "2 3"));
        for (name, colour, dash) in lines.chain(marks) {
            let text_x = x + 23.0;
            add(svg, &format!("<path d=\"M{x} 57h18\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dash}\"/>"));
            add(svg, &format!("<text x=\"{text_x}\" y=\"61\">{}</text>", escape(name)));
            // The font's mean width.
            x = text_x + 6.6 * name.chars().count() as f64 + 18.0;
        }
    }

    fn axes(&self, svg: &mut String, scale: &Scale, x_step: f64, y_step: f64) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        if self.shaded_until > 0.0 {
            let width = scale.x(self.shaded_until.min(scale.x_max)) - LEFT;
            let height = bottom - TOP;
            add(svg, &format!("<rect class=\"shade\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>"));
            add(svg, &format!("<text x=\"{}\" y=\"{}\">warm-up</text>", LEFT + 5.0, bottom - 7.0));
        }
        let mut y = 0.0;
        while y <= scale.y_max + y_step / 2.0 {
            let at = scale.y(y);
            add(svg, &format!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>"));
            add(svg, &format!("<text class=\"right\" x=\"{}\" y=\"{:.1}\">{}</text>", LEFT - 7.0, at + 4.0, label(y, y_step)));
            y += y_step;
        }
        let mut x = 0.0;
        while x <= scale.x_max + x_step / 1_000.0 {
            let at = scale.x(x);
            add(svg, &format!("<path class=\"grid\" d=\"M{at:.1} {bottom}v5\"/>"));
            add(svg, &format!("<text class=\"middle\" x=\"{at:.1}\" y=\"{}\">{}</text>", bottom + 19.0, label(x, x_step)));
            x += x_step;
        }
        let (middle_x, middle_y) = (f64::midpoint(LEFT, right), f64::midpoint(TOP, bottom));
        add(svg, &format!("<text class=\"middle\" x=\"{middle_x}\" y=\"{}\">{}</text>", HEIGHT - 12.0, escape(&self.x_label)));
        add(
            svg,
            &format!(
                "<text class=\"middle\" x=\"16\" y=\"{middle_y}\" transform=\"rotate(-90 16 {middle_y})\">{}</text>",
                escape(&self.y_label)
            ),
        );
    }
}

struct Scale {
    x_max: f64,
    y_max: f64,
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        LEFT + value / self.x_max * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.y_max * (HEIGHT - TOP - BOTTOM)
    }
}

fn head() -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n\
         <style>text{{font:12px system-ui,sans-serif;fill:#57606a}}.title{{font-size:16px;font-weight:600;fill:#24292f}}\
         .middle{{text-anchor:middle}}.right{{text-anchor:end}}.grid{{stroke:#8c959f;stroke-opacity:.35;fill:none}}\
         .shade{{fill:#8c959f;fill-opacity:.12}}.ground{{fill:#fff}}\
         @media(prefers-color-scheme:dark){{text{{fill:#9da7b3}}.title{{fill:#e6edf3}}.ground{{fill:#0d1117}}}}</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    )
}

fn add(svg: &mut String, element: &str) {
    svg.push_str(element);
    svg.push('\n');
}

/// A path through the points; of very many, the highest of each stretch, so that no peak is lost.
fn path(points: &[(f64, f64)], scale: &Scale) -> String {
    let stretch = points.len().div_ceil(POINTS_MAX).max(1);
    let mut path = String::new();
    for part in points.chunks(stretch) {
        let Some((x, y)) = part.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        let verb = if path.is_empty() { 'M' } else { 'L' };
        // Writing to a String cannot fail.
        write!(path, "{verb}{:.1} {:.1}", scale.x(x), scale.y(y)).unwrap_or_default();
    }
    path
}

/// A distance of labels of 1, 2 or 5 times a power of ten, so that about `wanted` of them reach `most`.
fn step(most: f64, wanted: f64) -> f64 {
    let rough = (most / wanted).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    factor * power
}

/// The value with no more digits than the distance of labels needs.
fn label(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).max(0.0) as usize;
    format!("{value:.digits$}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "memory <of> a & b".into(),
            subtitle: "s".into(),
            x_label: "simulated days".into(),
            y_label: "MB".into(),
            shaded_until: 2.0,
            series: vec![Series { name: "resident".into(), colour: "#0969da", dashed: false, points }],
            legend: vec![("connections cut".into(), "#cf222e")],
            marks: vec![Mark { x: 3.0, colour: "#cf222e" }, Mark { x: 99.0, colour: "#cf222e" }],
        }
    }

    /// Every element is closed and nothing is left open.
    #[track_caller]
    fn check_balanced(svg: &str) {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("a tag ends");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split_whitespace().next().expect("a tag has a name"));
            }
        }
        assert!(open.is_empty(), "{open:?}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn draws_axes_lines_marks_and_escapes() {
        let svg = chart(vec![(0.0, 20.0), (15.0, 30.0), (30.0, 28.0)]).draw();
        check_balanced(&svg);
        assert!(svg.contains("memory &lt;of&gt; a &amp; b"));
        assert!(svg.contains(">simulated days<") && svg.contains(">MB<") && svg.contains("warm-up"));
        assert_eq!(svg.matches("stroke-width=\"1.5\"").count(), 1, "the mark beyond the end is not drawn");
        // The last day lies at the right edge, zero at the bottom.
        assert!(svg.contains("L936.0 "), "{svg}");
        assert!(svg.contains(">30<") && svg.contains(">35<"), "labels reach the end of both axes");
    }

    #[test]
    fn nothing_and_one_point_are_drawn_without_harm() {
        check_balanced(&chart(vec![]).draw());
        check_balanced(&chart(vec![(0.0, 0.0)]).draw());
        check_balanced(&chart(vec![(1e-6, 1e9)]).draw());
    }

    #[test]
    fn of_many_points_the_peak_stays() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|x| (f64::from(x), 1.0)).collect();
        points[54_321].1 = 9.0;
        let drawn = path(&points, &Scale { x_max: 100_000.0, y_max: 10.0 });
        assert!(drawn.matches('L').count() <= POINTS_MAX);
        assert!(drawn.contains(&format!("{:.1}", Scale { x_max: 1.0, y_max: 10.0 }.y(9.0))));
    }

    #[test]
    fn labels_are_round() {
        assert_eq!(label(20.0, step(30.0, 10.0)), "20");
        assert!((step(30.0, 10.0) - 5.0).abs() < 1e-9);
        assert_eq!(label(0.25, 0.05), "0.25");
        assert_eq!(label(1_000.0, 200.0), "1000");
    }
}
