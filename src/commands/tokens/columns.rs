//! The list's own columns beside its pairs.

use std::collections::HashMap;

use crate::{
    input,
    journal::reader::JournalError,
    settings::typed::{self, Columns},
    store::{pair::Pair, runs::LookedAt},
};

/// The columns that were named.
pub(super) struct OwnColumns {
    names: Vec<String>,
    /// For each run, the place of each of them in its list.
    places: Vec<Vec<Option<usize>>>,
}

impl OwnColumns {
    /// Finds the columns of these names in the lists of the runs. A name that no list has is an error;
    /// in a list that lacks it, its cells are empty.
    pub(super) fn of(runs: &[LookedAt], typed: &[String]) -> anyhow::Result<Self> {
        let lists = || runs.iter().map(|run| &run.run_state.started.list.columns);
        let mut carried: Vec<String> = Vec::new();
        for column in lists().flatten() {
            if !carried.contains(column) {
                carried.push(column.clone());
            }
        }
        let typed = typed.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let typed: Vec<_> = typed.collect();
        let left_out: Vec<_> =
            typed.iter().filter(|name| input::is_for_secrets(name)).map(|n| (*n).into()).collect();
        let columns = Columns { carried: &carried, left_out: &left_out };
        let names = typed.iter().map(|name| typed::column("--columns", name, columns));
        let names = names.collect::<anyhow::Result<Vec<_>>>()?;
        let place = |list: &Vec<String>, name: &String| list.iter().position(|own| own == name);
        let places = lists().map(|list| names.iter().map(|name| place(list, name)).collect());
        Ok(Self { places: places.collect(), names })
    }

    /// Their names, in the list's own spelling.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The cells beside some pairs, looked up where their rows stand in the journals.
    pub(super) fn cells(
        &self,
        runs: &[LookedAt],
        pairs: &[(usize, Pair)],
    ) -> Result<Vec<Vec<String>>, JournalError> {
        if self.names.is_empty() {
            return Ok(vec![Vec::new(); pairs.len()]);
        }
        let mut found: HashMap<(usize, u32), Vec<String>> = HashMap::new();
        for (number, (run, places)) in runs.iter().zip(&self.places).enumerate() {
            let rows = pairs.iter().filter(|(of, _)| *of == number).map(|(_, pair)| pair.row);
            let rows: Vec<_> = rows.collect();
            if rows.is_empty() {
                continue;
            }
            for listed in run.run_state.listed(&run.folder.journal(), rows)? {
                let cell = |place: &Option<usize>| listed.values.get((*place)?).cloned();
                let cells = places.iter().map(|place| cell(place).unwrap_or_default());
                found.insert((number, listed.row), cells.collect());
            }
        }
        let empty = || vec![String::new(); self.names.len()];
        let cells = |(run, pair): &(usize, Pair)| found.remove(&(*run, pair.row));
        Ok(pairs.iter().map(cells).map(|cells| cells.unwrap_or_else(empty)).collect())
    }
}
