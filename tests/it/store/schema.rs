//! An app's schema, and what `store` has to make of it.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    leaks,
    recovered::{Finished, Pair, Recovered},
    template::filled,
};
use crate::support::{
    Ran, Run, Work,
    servers::{Database, MariaDb, OWNER, Postgres, Table},
};

/// Which database an app has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Postgres,
    MariaDb,
    Sqlite,
}

/// An app's schema. Statements may have the `:names` of [`filled`].
#[derive(Clone, Copy)]
pub(super) struct Schema {
    pub(super) on: On,
    /// Makes the tables.
    pub(super) setup: &'static str,
    /// How the app has stored the pair that is dead by now; run for each installation that the run
    /// has recovered, and for others.
    pub(super) row: &'static str,
    /// Run by a superuser after the rows.
    pub(super) then: &'static str,
    /// How the app itself stores a new pair.
    pub(super) save: &'static str,
    /// Columns that say when their row was written.
    pub(super) now: &'static [&'static str],
    pub(super) run: Recovered,
    /// More options of `store`.
    pub(super) args: &'static [&'static str],
    /// The mapping file, where there is one.
    pub(super) map: &'static str,
    /// Who connects.
    pub(super) user: &'static str,
    /// What becomes of a pair. One that is `missing` has no row.
    pub(super) outcome: fn(&Pair) -> &'static str,
}

impl Schema {
    const fn on(on: On) -> Self {
        Self {
            on,
            setup: "",
            row: "",
            then: "",
            save: "",
            now: &[],
            run: Recovered::Locations,
            args: &[],
            map: "",
            user: OWNER,
            outcome: |_| "replaced",
        }
    }

    pub(super) const fn postgres() -> Self {
        Self::on(On::Postgres)
    }

    pub(super) const fn mariadb() -> Self {
        Self::on(On::MariaDb)
    }

    pub(super) const fn sqlite() -> Self {
        Self::on(On::Sqlite)
    }

    /// The tables with their rows. `None` where the server is not installed.
    pub(super) fn open(self) -> Option<App> {
        App::open(self, self.run.prepared())
    }

    /// Every pair becomes what `outcome` says, and the whole database then is as if the app itself
    /// had saved those that are replaced. A second time nothing is written.
    #[track_caller]
    pub(super) fn is_written(self) {
        let Some(app) = self.open() else { return };
        let expected = app.saved_by_the_app();
        let ran = app.store().go();
        app.assert_outcomes(&ran, self.outcome);
        let after = app.database.contents();
        assert_same(&after, &expected.contents(), self.now);
        app.assert_safe(&ran);
        if self.map.contains("statement") {
            return; // It has no rows to compare with.
        }
        let again = app.store().go();
        app.assert_outcomes(&again, |pair| match (self.outcome)(pair) {
            "replaced" | "inserted" => "already",
            other => other,
        });
        assert_same(&app.database.contents(), &after, &[]);
        app.assert_safe(&again);
    }

    /// Nothing is written, and what is said has all of these words. `a|b` is one of them.
    #[track_caller]
    pub(super) fn is_refused(self, words: &[&str]) {
        self.is_left_alone(2, words);
    }

    /// The first row shows that something is wrong: it is put back, and no other is written.
    #[track_caller]
    pub(super) fn is_put_back(self, words: &[&str]) {
        self.is_left_alone(3, words);
    }

    #[track_caller]
    fn is_left_alone(self, code: i32, words: &[&str]) {
        let Some(app) = self.open() else { return };
        let before = app.database.contents();
        let ran = app.store().go();
        assert_same(&app.database.contents(), &before, &[]);
        let ran = ran.expect(code);
        let said = ran.stderr.to_lowercase();
        for word in words {
            let found = word.split('|').any(|word| said.contains(&word.to_lowercase()));
            assert!(found, "{word:?} is not in: {}", ran.stderr);
        }
        app.assert_safe(&ran);
    }
}

/// A schema with rows in it, and a finished run to store.
pub(super) struct App {
    pub(super) schema: Schema,
    pub(super) finished: &'static Finished,
    pub(super) run: PathBuf,
    pub(super) database: Database,
    pub(super) work: Work,
}

impl App {
    pub(super) fn open(schema: Schema, finished: &'static Finished) -> Option<Self> {
        let work = Work::new();
        let database = match schema.on {
            On::Postgres => Postgres::shared()?.database(),
            On::MariaDb => MariaDb::shared()?.database(),
            On::Sqlite => Database::sqlite(work.path("app.db"))?,
        };
        Some(Self::open_in(database, work, schema, finished))
    }

    /// The same in a database of the test's choice.
    pub(super) fn open_in(
        database: Database,
        work: Work,
        schema: Schema,
        finished: &'static Finished,
    ) -> Self {
        let run = finished.write_to(&work.path("run"));
        let app = Self { schema, finished, run, database, work };
        app.database.sql(schema.setup);
        let stored = app.pairs().iter().filter(|pair| (schema.outcome)(pair) != "missing");
        let rows: Vec<Pair> = stored.map(Pair::old).chain(app.bystanders()).collect();
        app.database.sql(&transaction(schema.row, rows.iter()));
        app.database.sql_as_admin(schema.then);
        app
    }

    /// The recovered pairs.
    pub(super) fn pairs(&self) -> &[Pair] {
        &self.finished.pairs
    }

    /// Installations that the run knows nothing of.
    fn bystanders(&self) -> Vec<Pair> {
        let others = self.pairs().iter().rev().take(3);
        others.map(|pair| pair.old().of_another(100 + pair.n)).collect()
    }

    /// `store` with the options of the schema.
    pub(super) fn store(&self) -> Run {
        self.store_to(&self.database.url_of(self.schema.user))
    }

    /// The same with another URL.
    pub(super) fn store_to(&self, url: &str) -> Run {
        let mut run = self.work.program(["store".as_ref(), self.run.as_os_str()]);
        if self.schema.on == On::Sqlite {
            run = run.args(["--to", url]);
        } else {
            run = run.args(["--to", "env:DATABASE_URL"]).env("DATABASE_URL", url);
        }
        if !self.schema.map.is_empty() {
            run = run.arg("--map").arg(self.work.file("store.toml", self.schema.map));
        }
        run.arg("--yes").args(self.schema.args)
    }

    /// A copy of the database in which the app itself has saved the new pairs.
    pub(super) fn saved_by_the_app(&self) -> Database {
        let copy = self.database.copy();
        let is_written =
            |pair: &&Pair| matches!((self.schema.outcome)(pair), "replaced" | "inserted");
        copy.sql(&transaction(self.schema.save, self.pairs().iter().filter(is_written)));
        copy
    }

    /// Runs a template for each pair that passes.
    pub(super) fn sql_for<'a>(&self, template: &str, pairs: impl Iterator<Item = &'a Pair>) {
        self.database.sql(&transaction(template, pairs));
    }

    /// Checks what became of each pair, and the exit code that follows from it.
    #[track_caller]
    pub(super) fn assert_outcomes(&self, ran: &Ran, expected: impl Fn(&Pair) -> &'static str) {
        let said = || format!("stdout:\n{}\nstderr:\n{}", ran.stdout, ran.stderr);
        assert!(ran.code < 2, "it ends with {}\n{}", ran.code, said());
        let told = outcomes(ran);
        let expected: BTreeMap<String, String> =
            self.pairs().iter().map(|pair| (pair.id.clone(), expected(pair).to_owned())).collect();
        assert_eq!(told, expected, "{}", said());
        let is_stored =
            |outcome: &String| matches!(&**outcome, "replaced" | "inserted" | "already" | "newer");
        let code = i32::from(!expected.values().all(is_stored));
        assert_eq!(ran.code, code, "{}", said());
    }

    /// Checks that nothing secret got out, and that the files are private.
    #[track_caller]
    pub(super) fn assert_safe(&self, ran: &Ran) {
        let old = self.pairs().iter().map(Pair::old).chain(self.bystanders());
        let all: Vec<Pair> = old.chain(self.pairs().iter().cloned()).collect();
        leaks::assert_none(ran, &all);
    }
}

/// A template for each of these pairs, in one transaction.
fn transaction<'a>(template: &str, pairs: impl Iterator<Item = &'a Pair>) -> String {
    let begin = "begin;\n".to_owned();
    pairs.fold(begin, |sql, pair| sql + &filled(template, pair) + ";\n") + "commit;\n"
}

/// The outcome of each installation by `stored.csv`.
pub(super) fn outcomes(ran: &Ran) -> BTreeMap<String, String> {
    let rows = crate::support::rows(&ran.file("stored.csv"));
    let count = rows.len();
    let told: BTreeMap<_, _> =
        rows.into_iter().map(|row| (row["id"].clone(), row["outcome"].clone())).collect();
    assert_eq!(told.len(), count, "a line each in stored.csv");
    told
}

#[track_caller]
pub(super) fn assert_same(ours: &[(String, Table)], theirs: &[(String, Table)], now: &[&str]) {
    let names = |tables: &[(String, Table)]| -> Vec<String> {
        tables.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(ours), names(theirs));
    for ((_, ours), (_, theirs)) in ours.iter().zip(theirs) {
        ours.assert_is(theirs, now);
    }
}
