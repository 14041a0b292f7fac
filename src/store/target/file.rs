//! A SQLite file that is there already.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{fault::Fault, sql_target::SqlTarget, url::decoded};

/// What every SQLite file begins with.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Reads what stands after `sqlite:` or `file:`. Parameters of other tools are left out.
pub fn after_scheme(rest: &str) -> Result<SqlTarget, Fault> {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let path = decoded(path, "path")?;
    if path.is_empty() || path.contains(":memory:") {
        return Err(if rest.contains("memory") { Fault::Memory } else { Fault::Empty });
    }
    let Some(path) = path.strip_prefix("//") else { return file(Path::new(&path)) };
    let Some(relative) = path.strip_prefix('/') else { return file(Path::new(path)) };
    // `sqlite:///app.db` is /app.db to most tools, and app.db to SQLAlchemy.
    let (absolute, relative) = (PathBuf::from(path), PathBuf::from(relative));
    match (absolute.is_file(), relative.is_file()) {
        (true, true) if !is_same(&absolute, &relative) => Err(Fault::TwoFiles(absolute, relative)),
        (false, true) => file(&relative),
        _ => file(&absolute),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let both = one.canonicalize().ok().zip(other.canonicalize().ok());
    both.is_some_and(|(one, other)| one == other)
}

/// Checks a file: a database is never made, and nothing else is opened as one.
pub fn file(path: &Path) -> Result<SqlTarget, Fault> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Fault::NoFile(path.to_owned()),
        kind => Fault::Unreadable { path: path.to_owned(), reason: kind.to_string() },
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Fault::NoPlainFile(path.to_owned()));
    }
    if metadata.len() == 0 {
        return Err(Fault::EmptyFile(path.to_owned()));
    }
    let mut header = [0; HEADER.len()];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) if &header == HEADER => Ok(SqlTarget::sqlite(path)),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(unreadable(error)),
        _ => Err(Fault::NotSqlite(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sqlite_file_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("app.db"), b"SQLite format 3\0and more").unwrap();
        fs::write(at("empty.db"), b"").unwrap();
        fs::write(at("short.db"), b"SQLite").unwrap();
        fs::write(at("text.db"), b"id,access_token,refresh_token\n").unwrap();
        assert_eq!(file(&at("app.db")).unwrap().database(), at("app.db").display().to_string());
        for (name, fault) in [
            ("empty.db", Fault::EmptyFile(at("empty.db"))),
            ("short.db", Fault::NotSqlite(at("short.db"))),
            ("text.db", Fault::NotSqlite(at("text.db"))),
            ("none.db", Fault::NoFile(at("none.db"))),
            (".", Fault::NoPlainFile(at("."))),
        ] {
            assert_eq!(file(&at(name)).err(), Some(fault), "{name}");
        }
        assert!(!at("none.db").exists());
        let path = at("app.db").display().to_string();
        for form in [
            path.clone(),
            format!("//{path}"),
            format!("///{path}"),
            format!("{path}?connection_limit=1"),
        ] {
            assert!(after_scheme(&form).is_ok(), "{form}");
        }
        assert_eq!(after_scheme(":memory:").err(), Some(Fault::Memory));
        assert_eq!(after_scheme("").err(), Some(Fault::Empty));
    }
}
