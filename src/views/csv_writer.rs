//! CSV files whose cells are safe to open in a spreadsheet.

use std::{fmt::Display, io::Write};

use crate::input::formula;

/// A value, or an empty cell.
pub fn or_empty(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The header of columns, each a name and whatever makes its cell.
pub fn names<'a, C>(columns: &'a [(&'static str, C)]) -> impl Iterator<Item = &'a str> {
    columns.iter().map(|(name, _)| *name)
}

/// A CSV file without a cell that a spreadsheet would run as a formula.
pub struct CsvWriter<W: Write>(csv::Writer<W>);

impl<W: Write> CsvWriter<W> {
    /// Begins a file with its header.
    pub fn begin<'a>(out: W, header: impl IntoIterator<Item = &'a str>) -> csv::Result<Self> {
        let mut csv = Self(csv::Writer::from_writer(out));
        csv.line(header)?;
        Ok(csv)
    }

    /// Appends to a file that has its header.
    pub fn append(out: W) -> Self {
        Self(csv::Writer::from_writer(out))
    }

    /// Writes a line.
    pub fn line<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) -> csv::Result<()> {
        for cell in cells {
            self.0.write_field(&*formula::guarded(cell.as_ref()))?;
        }
        self.0.write_record(None::<&[u8]>)
    }

    /// Writes what is left.
    pub fn end(mut self) -> csv::Result<()> {
        Ok(self.0.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_in_the_header_or_below() {
        let mut bytes = Vec::new();
        let mut csv = CsvWriter::begin(&mut bytes, ["id", "=1"]).unwrap();
        csv.line(["-5", "@SUM(1)"]).unwrap();
        csv.line([String::new(), "＝1".into()]).unwrap();
        csv.end().unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "id,'=1\n-5,'@SUM(1)\n,'＝1\n");
    }
}
