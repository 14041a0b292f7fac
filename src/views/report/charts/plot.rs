//! Marks as SVG, drawn by plotters. What is around them, text above all, is the page's own: so it is
//! of one size, whatever the width of the page.

use plotters::{
    chart::ChartBuilder,
    element::{PathElement, Rectangle},
    prelude::{IntoDrawingArea, SVGBackend},
    style::{Color, RGBColor, ShapeStyle},
};

use super::look::Look;

/// Width and height of a plot, in its own units.
pub(super) const SIZE: (u32, u32) = (1000, 220);

/// Red and green of the colours that stand for looks until the classes take their place.
const SENTINEL: (u8, u8) = (1, 2);

/// A mark. Places are shares of the width from the left, and of the height from below.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// A line through these places.
    Line(Look, Vec<(f64, f64)>),
    /// A filled rectangle between two corners.
    Area(Look, (f64, f64), (f64, f64)),
}

impl Mark {
    /// A line across the plot at a height.
    pub(super) fn across(look: Look, height: f64) -> Self {
        Self::Line(look, vec![(0.0, height), (1.0, height)])
    }

    /// A line from below to the top.
    pub(super) fn upright(look: Look, x: f64) -> Self {
        Self::Line(look, vec![(x, 0.0), (x, 1.0)])
    }

    /// A stretch of the plot from a height to the top, wide enough to be seen.
    pub(super) fn band(look: Look, from: f64, to: f64, height: f64) -> Self {
        Self::Area(look, (from, height), (to.max(from + 0.002).min(1.0), 1.0))
    }
}

/// The elements of these marks, without an `svg` around them.
pub(super) fn drawn(size: (u32, u32), marks: &[Mark]) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let mut chart = ChartBuilder::on(&root).build_cartesian_2d(0_f64..1_f64, 0_f64..1_f64)?;
        for mark in marks {
            match mark {
                Mark::Line(look, places) => {
                    chart.draw_series([PathElement::new(thinned(places), stroke(*look))])?;
                }
                Mark::Area(look, from, to) => {
                    let style = sentinel(*look).filled();
                    chart.draw_series([Rectangle::new([*from, *to], style)])?;
                }
            }
        }
        root.present()?;
    }
    Ok(with_classes(inner(&svg)))
}

/// Without the places in the middle of a level stretch.
fn thinned(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let level = |one: f64, other: f64| (one - other).abs() < f64::EPSILON;
    let is_needed = |index: &usize| match (index.checked_sub(1), places.get(index + 1)) {
        (Some(before), Some(after)) => {
            let height = places[*index].1;
            !(level(places[before].1, height) && level(after.1, height))
        }
        _ => true,
    };
    (0..places.len()).filter(is_needed).map(|index| places[index]).collect()
}

fn stroke(look: Look) -> ShapeStyle {
    sentinel(look).stroke_width(look.pen().width)
}

fn sentinel(look: Look) -> RGBColor {
    let index = Look::ALL.iter().position(|other| *other == look).unwrap_or(0);
    RGBColor(SENTINEL.0, SENTINEL.1, u8::try_from(index).unwrap_or(0))
}

/// What is between the tags of the outermost element.
fn inner(svg: &str) -> &str {
    let from = svg.find('>').map_or(0, |end| end + 1);
    let to = svg.rfind("</svg>").unwrap_or(svg.len());
    svg.get(from..to).unwrap_or_default().trim()
}

/// Puts the classes and the colours for viewers without styles in the place of the sentinels.
fn with_classes(svg: &str) -> String {
    let mut svg =
        svg.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "").replace(" \"/>", "\"/>");
    for (look, index) in Look::ALL.into_iter().zip(0_u8..) {
        let sentinel = format!("\"#{:02X}{:02X}{index:02X}\"", SENTINEL.0, SENTINEL.1);
        let pen = look.pen();
        let dashes = if pen.dashes.is_empty() {
            String::new()
        } else {
            format!(" stroke-dasharray=\"{}\"", pen.dashes)
        };
        let (class, colour) = (pen.class, pen.colour);
        svg = svg.replace(
            &format!("stroke={sentinel}"),
            &format!("class=\"s-{class}\" stroke=\"{colour}\"{dashes} vector-effect=\"non-scaling-stroke\""),
        );
        svg = svg.replace(
            &format!("fill={sentinel}"),
            &format!("class=\"f-{class}\" fill=\"{colour}\""),
        );
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_have_classes_and_colours_for_viewers_without_styles() {
        let marks = [
            Mark::band(Look::Hold, 0.25, 0.5, 0.0),
            Mark::across(Look::Bound, 0.5),
            Mark::Line(Look::Recovered, vec![(0.0, 0.0), (0.25, 0.0), (0.5, 0.0), (1.0, 1.0)]),
        ];
        assert_eq!(
            drawn((1000, 220), &marks).unwrap(),
            "<rect x=\"249\" y=\"0\" width=\"250\" height=\"219\" class=\"f-hold\" fill=\"#f3dfae\"/>\n\
             <polyline fill=\"none\" class=\"s-bad\" stroke=\"#b4330e\" stroke-dasharray=\"8 4\" \
             vector-effect=\"non-scaling-stroke\" stroke-width=\"1\" points=\"0,110 999,110\"/>\n\
             <polyline fill=\"none\" class=\"s-ok\" stroke=\"#0f766e\" \
             vector-effect=\"non-scaling-stroke\" stroke-width=\"2\" points=\"0,219 499,219 999,0\"/>"
        );
    }
}
