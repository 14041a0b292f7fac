//! PostgreSQL's file of passwords, `~/.pgpass`: `host:port:database:user:password` a line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{fault::Fault, lookup::Lookup, sql_target::Place};
use crate::{secret::Secret, settings::env_file};

/// The password for a connection, if the file has one. As libpq does, a file that others can read
/// is not used; unlike libpq, that is an error where the file has the password.
pub fn password(
    place: &Place,
    user: &str,
    database: &str,
    variable: Lookup<'_>,
) -> Result<Option<Secret>, Fault> {
    let Some(path) = path(variable) else { return Ok(None) };
    let Ok(lines) = fs::read_to_string(&path) else { return Ok(None) };
    let (host, port) = match place {
        Place::Host { name, port } => (name.clone(), *port),
        Place::Socket { path, port } => (path.display().to_string(), *port),
        Place::File(_) => return Ok(None),
    };
    let is_socket = matches!(place, Place::Socket { .. });
    let port = port.to_string();
    let wanted = [host.as_str(), port.as_str(), database, user];
    let found = lines.lines().find_map(|line| {
        let password = matching(line, wanted);
        // For libpq a socket is `localhost`.
        password
            .or_else(|| matching(line, ["localhost", &port, database, user]).filter(|_| is_socket))
    });
    if found.is_some() && is_open(&path) {
        return Err(Fault::OpenPassFile(path));
    }
    Ok(found.map(Secret::new))
}

fn path(variable: Lookup<'_>) -> Option<PathBuf> {
    let home = || Some(Path::new(&variable("HOME")?).join(".pgpass"));
    variable("PGPASSFILE").map(PathBuf::from).or_else(home)
}

fn is_open(path: &Path) -> bool {
    env_file::warning_about("", path).is_some()
}

/// The password of a line that is for this connection.
fn matching(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = fields(line).into_iter();
    for wanted in wanted {
        fields.next().filter(|field| field == "*" || field == wanted)?;
    }
    fields.next().filter(|password| !password.is_empty())
}

/// The fields of a line: a colon ends one, a backslash takes a character as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.trim_end_matches('\r').chars();
    while let Some(c) = chars.next() {
        // The password is the rest.
        if c == ':' && fields.len() < 5 {
            fields.push(String::new());
        } else if let Some(field) = fields.last_mut() {
            field.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_matched_as_libpq_does() {
        let wanted = ["db.example.com", "5432", "app", "u"];
        for (line, password) in [
            ("db.example.com:5432:app:u:p", Some("p")),
            ("*:*:*:*:p", Some("p")),
            ("*:*:*:u:p\\:x\\\\y", Some("p:x\\y")),
            ("*:*:*:u:p:x", Some("p:x")),
            ("#db.example.com:5432:app:u:p", None),
            ("other:5432:app:u:p", None),
            ("*:*:*:other:p", None),
            ("*:*:*:u", None),
            ("*:*:*:u:", None),
            ("", None),
        ] {
            assert_eq!(matching(line, wanted).as_deref(), password, "{line}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_an_error() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "localhost:1:d:u:hunter2\n").unwrap();
        let name = file.path().display().to_string();
        let lookup = |variable: &str| (variable == "PGPASSFILE").then(|| name.clone());
        let place = Place::Socket { path: "/s".into(), port: 1 };
        let found = |user: &str| password(&place, user, "d", &lookup);
        assert_eq!(found("u").unwrap().unwrap().expose(), "hunter2");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(found("u").err(), Some(Fault::OpenPassFile(file.path().to_owned())));
        assert!(found("other").unwrap().is_none());
    }
}
