//! The bar in a terminal, which gives way before the numbers do.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::status_line::Figures;
use crate::terminal::verbosity::Colors;

/// Columns of the bar: it is left out where fewer are free.
const NARROWEST: usize = 8;
const WIDEST: usize = 30;

/// The last line of the terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    colors: Colors,
    /// Columns of the bar itself as it is drawn now.
    columns: Option<usize>,
}

impl Bar {
    /// Begins a bar where standard error is a terminal that can show one.
    pub(super) fn begin(total: u32, colors: Colors) -> Option<Self> {
        let target = ProgressDrawTarget::stderr();
        if target.is_hidden() {
            return None;
        }
        let bar = ProgressBar::with_draw_target(Some(total.into()), target);
        // A line may be printed above it before it is drawn for the first time.
        bar.set_style(style(None, colors));
        Some(Self { bar, colors, columns: None })
    }

    /// Prints lines above it.
    pub(super) fn print_above(&self, text: &str) {
        self.bar.println(text);
    }

    /// Draws a moment of the run in so many columns.
    pub(super) fn draw(&mut self, figures: &Figures, width: usize) {
        // A terminal breaks a line that fills its last column.
        let line = figures.line(width.saturating_sub(1));
        let columns = columns_for(&line, width.saturating_sub(1));
        if columns != self.columns {
            self.bar.set_style(style(columns, self.colors));
            self.columns = columns;
        }
        self.bar.set_position(figures.done().into());
        self.bar.set_message(line);
    }

    /// Leaves it as it is.
    pub(super) fn end(&self) {
        self.bar.abandon();
    }
}

/// Columns for the bar beside a line; `None` where too few are free.
fn columns_for(line: &str, width: usize) -> Option<usize> {
    let free = width.saturating_sub(textwrap::core::display_width(line) + 1);
    (free >= NARROWEST).then(|| free.min(WIDEST))
}

fn style(columns: Option<usize>, colors: Colors) -> ProgressStyle {
    let template = match (columns, colors) {
        (None, _) => "{msg}".to_owned(),
        (Some(columns), Colors::On) => format!("{{bar:{columns}.green/dim}} {{msg}}"),
        (Some(columns), Colors::Off) => format!("{{bar:{columns}}} {{msg}}"),
    };
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_gives_way_before_the_numbers_do() {
        let line = "1,204/4,000 recovered · 3 failed · 16 in flight · 9.9/s · 4m 40s left";
        for (width, columns) in [(120, Some(30)), (80, Some(10)), (77, None), (40, None)] {
            assert_eq!(columns_for(line, width), columns, "{width}");
        }
    }
}
