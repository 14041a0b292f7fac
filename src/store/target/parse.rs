//! Reads what `--to` names.

use std::path::Path;

use super::{
    fault::{Fault, TargetError},
    file,
    lookup::Lookup,
    mongo::{MongoTarget, mongo},
    server::server,
    sql_target::{Dialect, SqlTarget},
    url::Url,
};
use crate::settings::variables::Variables;

/// A store.
#[derive(Clone, Debug)]
pub enum Target {
    /// A SQL database.
    Sql(Box<SqlTarget>),
    /// A program and its arguments.
    Exec(Vec<String>),
    /// A MongoDB.
    Mongo(Box<MongoTarget>),
}

/// Reads what `--to` names: a file, a URL without password, a program, or a variable that has one of
/// them, with password. Nothing that it says repeats the text.
pub fn parse(text: &str, variables: &Variables) -> Result<Target, TargetError> {
    parse_with(text, &|name| variables.get_any(name))
}

fn parse_with(text: &str, variable: Lookup<'_>) -> Result<Target, TargetError> {
    let text = text.trim();
    let failed = |source: String| move |fault| TargetError { source_name: source, fault };
    let Some(name) = text.strip_prefix("env:") else {
        return shown(text, variable).map_err(failed("--to".into()));
    };
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(failed("--to".into())(Fault::NoVariable));
    }
    let value = variable(name).ok_or(Fault::NotSet);
    value
        .and_then(|value| any(value.trim(), variable))
        .map_err(untold)
        .map_err(failed(format!("--to env:{name}")))
}

/// A value that is neither a URL nor the path of a file may be a secret, and is not shown.
fn untold(fault: Fault) -> Fault {
    match fault {
        Fault::NoFile(_) | Fault::VariableWithoutEnv(_) => Fault::NoFileOfVariable,
        fault => fault,
    }
}

/// What stands on the command line, for all to see.
fn shown(text: &str, variable: Lookup<'_>) -> Result<Target, Fault> {
    if Url::has_password(text) {
        return Err(Fault::PasswordShown);
    }
    any(text, variable)
}

fn any(text: &str, variable: Lookup<'_>) -> Result<Target, Fault> {
    if let Some(command) = text.strip_prefix("exec:") {
        let words = shlex::split(command).ok_or(Fault::OpenQuote)?;
        return if words.is_empty() { Err(Fault::NoProgram) } else { Ok(Target::Exec(words)) };
    }
    pasted(text)?;
    let scheme = scheme(text);
    let sql = |target| Target::Sql(Box::new(target));
    let url = || Url::parse(text);
    match scheme.split('+').next().unwrap_or_default() {
        "postgres" | "postgresql" if scheme != "prisma+postgres" => {
            server(Dialect::Postgres, url()?, variable).map(sql)
        }
        "mysql" | "mariadb" => server(Dialect::MySql, url()?, variable).map(sql),
        "mongodb" => Ok(Target::Mongo(Box::new(mongo(text, url()?)?))),
        "sqlite" | "sqlite3" | "file" => {
            let (_, rest) = text.split_once(':').unwrap_or_default();
            file::after_scheme(rest).map(sql)
        }
        _ => path(text).map(sql),
    }
}

/// What stands before `:`, in small letters; empty for what is no URL.
fn scheme(text: &str) -> String {
    let (scheme, _) = text.split_once(':').unwrap_or_default();
    let is_scheme = scheme.len() > 1
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if is_scheme { scheme.to_ascii_lowercase() } else { String::new() }
}

/// What comes along when a URL is copied.
fn pasted(text: &str) -> Result<(), Fault> {
    let lower = text.to_ascii_lowercase();
    let (first, rest) = lower.split_once("://").unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fault = if text.is_empty() {
        Fault::Empty
    } else if text.starts_with(['"', '\'']) || !rest.is_empty() && text.ends_with(['"', '\'']) {
        Fault::Quotes
    } else if first.contains('=') && first.starts_with(is_name) && !first.contains('?') {
        Fault::Assignment
    } else if first.contains(char::is_whitespace) {
        Fault::Command
    } else if lower.starts_with("jdbc:") {
        Fault::Jdbc
    } else if first == "http" || first == "https" {
        let is_supabase = rest.contains(".supabase.");
        if is_supabase { Fault::SupabaseApi } else { Fault::WebAddress }
    } else if first.starts_with("prisma") {
        Fault::Prisma
    } else if first == "libsql" {
        Fault::LibSql
    } else {
        return Ok(());
    };
    Err(fault)
}

/// What is no URL: the path of a file, if there is one.
fn path(text: &str) -> Result<SqlTarget, Fault> {
    if Path::new(text).exists() {
        return file::file(Path::new(text));
    }
    let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let name = text.trim_start_matches('$');
    if !name.is_empty() && name.bytes().all(is_name) {
        return Err(Fault::VariableWithoutEnv(name.to_owned()));
    }
    // What may be a damaged URL is not shown.
    if text.contains("://") || text.contains('@') {
        return Err(Fault::Unknown);
    }
    if text.contains('=') {
        return Err(Fault::NotAUrl);
    }
    file::file(Path::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: &[(&str, &str)] = &[
        ("DATABASE_URL", "postgres://u:SECRET@db.example.com/app?pgbouncer=true&schema=tenants"),
        ("NEWLINE", " postgres://u:SECRET@db.example.com/app\n"),
        ("MYSQL", "mysql+pymysql://u:SECRET@127.0.0.1/app"),
        ("MARIADB", "mariadb://u:SECRET@127.0.0.1/app"),
        ("MONGO", "mongodb+srv://u:SECRET@c.example.com/app"),
        ("QUOTED", "\"postgres://u:SECRET@h/d\""),
        ("NAMED", "DATABASE_URL=postgres://u:SECRET@h/d"),
        ("PSQL", "psql 'postgresql://u:SECRET@h/d'"),
        ("PSQL2", "psql postgresql://u:SECRET@h/d"),
        ("JDBC", "jdbc:postgresql://h/d?password=SECRET"),
        ("API", "https://SECRET.supabase.co"),
        ("WEB", "http://u:SECRET@h"),
        ("PRISMA", "prisma+postgres://h/?api_key=SECRET"),
        ("TURSO", "libsql://SECRET.turso.io"),
        ("HASH", "postgres://u:SEC#RET@h/d"),
        ("KEYWORDS", "host=h user=u password=SECRET"),
        ("GO", "u:SECRET@tcp(h:3306)/d"),
        ("REDIS", "redis://u:SECRET@h"),
        ("EXEC", "exec:node store.mjs"),
        ("LOOP", "env:LOOP"),
        ("WORD", "SECRET"),
    ];

    fn read(text: &str) -> Result<Target, TargetError> {
        parse_with(text, &|name| {
            VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn sql(text: &str) -> SqlTarget {
        match read(text).unwrap() {
            Target::Sql(target) => *target,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_of_store_is_read() {
        let target = sql("env:DATABASE_URL");
        assert_eq!(
            (target.dialect, target.schema.as_deref()),
            (Dialect::Postgres, Some("tenants"))
        );
        assert_eq!(target.password.as_ref().unwrap().expose(), "SECRET");
        assert!(!format!("{target:?}").contains("SECRET"));
        assert_eq!(sql("env:NEWLINE").database(), "app");
        assert_eq!(sql("env:MYSQL").dialect, Dialect::MySql);
        assert_eq!(sql("env:MARIADB").dialect, Dialect::MySql);
        assert!(matches!(read("env:MONGO"), Ok(Target::Mongo(_))));
        let Ok(Target::Exec(words)) = read("exec:node 'store it.mjs' --fast") else {
            unreachable!()
        };
        assert_eq!(words, ["node", "store it.mjs", "--fast"]);
        assert!(matches!(read("env:EXEC"), Ok(Target::Exec(_))));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        for (text, fault) in [
            ("env:UNSET", Fault::NotSet),
            ("env:", Fault::NoVariable),
            ("env:LOOP", Fault::NoFileOfVariable),
            ("env:WORD", Fault::NoFileOfVariable),
            ("DATABASE_URL", Fault::VariableWithoutEnv("DATABASE_URL".into())),
            ("$DATABASE_URL", Fault::VariableWithoutEnv("DATABASE_URL".into())),
            ("postgres://u:SECRET@h/d", Fault::PasswordShown),
            ("postgres://u:SEC#RET@h/d", Fault::PasswordShown),
            ("postgres://h/d?password=SECRET", Fault::PasswordShown),
            ("mongodb://u:SECRET@h/d", Fault::PasswordShown),
            ("https://SECRET.supabase.co", Fault::SupabaseApi),
            ("exec:", Fault::NoProgram),
            ("exec:node 'SECRET", Fault::OpenQuote),
            ("", Fault::Empty),
            ("env:QUOTED", Fault::Quotes),
            ("env:NAMED", Fault::Assignment),
            ("env:PSQL", Fault::Quotes),
            ("env:PSQL2", Fault::Command),
            ("env:JDBC", Fault::Jdbc),
            ("env:API", Fault::SupabaseApi),
            ("env:WEB", Fault::WebAddress),
            ("env:PRISMA", Fault::Prisma),
            ("env:TURSO", Fault::LibSql),
            ("env:HASH", Fault::Raw { character: '#', code: "%23" }),
            ("env:KEYWORDS", Fault::NotAUrl),
            ("env:GO", Fault::Unknown),
            ("env:REDIS", Fault::Unknown),
            ("sqlite::memory:", Fault::Memory),
            ("no/such.db", Fault::NoFile("no/such.db".into())),
            ("sqlite:no/such.db", Fault::NoFile("no/such.db".into())),
        ] {
            let error = read(text).err().unwrap();
            assert_eq!(error.fault, fault, "{text}");
            assert!(!error.to_string().contains("SEC"), "{text}: {error}");
        }
        assert_eq!(
            read("env:HASH").err().unwrap().to_string(),
            "--to env:HASH: the password has a `#`: write `%23`"
        );
    }
}
