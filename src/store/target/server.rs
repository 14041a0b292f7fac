//! The server that a URL names, with what the environment adds.

use std::path::PathBuf;

use super::{
    fault::Fault,
    lookup::Lookup,
    parameters::{Parameters, TlsWish, tls_word},
    pass_file,
    sql_target::{Dialect, Place, SqlTarget, Tls, is_loopback},
    url::{Url, decoded},
};
use crate::secret::Secret;

/// Where PostgreSQL's sockets are, by system.
const SOCKET_FOLDERS: [&str; 3] = ["/var/run/postgresql", "/private/tmp", "/tmp"];

/// Reads the URL of a server. For PostgreSQL the variables of libpq fill in what it leaves out.
pub fn server(dialect: Dialect, url: Url, variable: Lookup<'_>) -> Result<SqlTarget, Fault> {
    let mut said = Parameters::read(&url.parameters)?;
    let of_postgres = |name: &str| (dialect == Dialect::Postgres).then(|| variable(name)).flatten();
    let place = place(dialect, &url, &mut said, &of_postgres)?;
    let user = said.user.or(url.user).or_else(|| of_postgres("PGUSER"));
    let user = match dialect {
        Dialect::Postgres => user.or_else(|| variable("USER").or_else(|| variable("LOGNAME"))),
        _ => user,
    };
    let user = user.ok_or(Fault::NoUser)?;
    let path = url.path.trim_end_matches('/');
    let path = (!path.is_empty()).then(|| path.to_owned());
    let database = said.database.or(path).or_else(|| of_postgres("PGDATABASE"));
    let database = database.ok_or(Fault::NoDatabase)?;
    if database.contains('/') {
        return Err(Fault::Path);
    }
    let from_variable = match dialect {
        Dialect::Postgres => variable("PGPASSWORD"),
        _ => variable("MYSQL_PWD"),
    };
    let mut password = said.password.or(url.password).or(from_variable.map(Secret::new));
    if password.is_none() && dialect == Dialect::Postgres {
        password = pass_file::password(&place, &user, &database, variable)?;
    }
    let mut tls_files = said.files;
    if tls_files.roots.is_none() {
        let roots = of_postgres("PGSSLROOTCERT").filter(|roots| roots != "system");
        tls_files.roots = roots.map(PathBuf::from);
    }
    let wish = match (said.tls, of_postgres("PGSSLMODE")) {
        (None, Some(word)) => Some(tls_word(&word).map_err(|_| Fault::TlsWord("PGSSLMODE"))?),
        (wish, _) => wish,
    };
    let tls = tls(&place, wish, tls_files.roots.is_some())?;
    Ok(SqlTarget {
        dialect,
        place,
        user,
        password,
        database,
        schema: said.schema,
        tls,
        tls_files,
        endpoint: said.endpoint,
    })
}

/// What is asked of the connection. On this machine all is free; elsewhere nothing less than TLS.
fn tls(place: &Place, wish: Option<TlsWish>, has_roots: bool) -> Result<Tls, Fault> {
    Ok(match (place, wish) {
        (Place::Socket { .. } | Place::File(_), _) => Tls::Free,
        (_, Some(TlsWish::Issuer)) => Tls::Issuer,
        // As libpq does: whoever names the issuers means them to be checked.
        (_, Some(TlsWish::Encrypted)) if has_roots => Tls::Issuer,
        (_, Some(TlsWish::Encrypted)) => Tls::Unchecked,
        (place, Some(TlsWish::Plain)) if place.is_local() => Tls::Plain,
        (place, None) if place.is_local() => Tls::Free,
        (_, Some(TlsWish::Plain)) => return Err(Fault::PlainText),
        (_, Some(TlsWish::Full) | None) => Tls::Full,
    })
}

fn place(
    dialect: Dialect,
    url: &Url,
    said: &mut Parameters,
    of_postgres: Lookup<'_>,
) -> Result<Place, Fault> {
    let (host, port) = host_and_port(&url.hosts)?;
    let usual = if dialect == Dialect::Postgres { 5432 } else { 3306 };
    let number = |text: String| text.parse::<u16>().map_err(|_| Fault::Port);
    let port = match (said.port.take(), port) {
        (Some(text), _) => number(text)?,
        (None, Some(port)) => port,
        (None, None) => of_postgres("PGPORT").map(number).transpose()?.unwrap_or(usual),
    };
    let host = said.socket.take().or(said.host.take()).or(host);
    let host = host.or_else(|| of_postgres("PGHOST"));
    match (host, dialect) {
        (Some(path), _) if path.starts_with('/') => Ok(Place::Socket { path: path.into(), port }),
        (Some(name), _) => Ok(Place::Host { name: checked(&name)?, port }),
        (None, Dialect::Postgres) => Ok(usual_socket(port)),
        (None, _) => Err(Fault::NoHost),
    }
}

/// Where libpq looks when nothing names a host.
fn usual_socket(port: u16) -> Place {
    let mut folders = SOCKET_FOLDERS.iter().map(PathBuf::from);
    let socket = format!(".s.PGSQL.{port}");
    match folders.find(|folder| folder.join(&socket).exists()) {
        Some(path) => Place::Socket { path, port },
        None => Place::Host { name: "localhost".to_owned(), port },
    }
}

/// Host and port, as a URL has them.
fn host_and_port(hosts: &str) -> Result<(Option<String>, Option<u16>), Fault> {
    if hosts.contains(',') {
        return Err(Fault::SeveralHosts);
    }
    let (host, port) = match hosts.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(Fault::Brackets)?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some("")).ok_or(Fault::Port)?)
        }
        None if hosts.matches(':').count() > 1 && hosts.split(':').all(is_hex) => {
            return Err(Fault::Brackets);
        }
        None => hosts.split_once(':').unwrap_or((hosts, "")),
    };
    let port = match port {
        "" => None,
        port => Some(port.parse().map_err(|_| Fault::Port)?),
    };
    let host = decoded(host, "host")?;
    Ok(((!host.is_empty()).then_some(host), port))
}

fn is_hex(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A host's name, or an address without brackets.
fn checked(name: &str) -> Result<String, Fault> {
    if name.contains(',') {
        return Err(Fault::SeveralHosts);
    }
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if is_loopback(name) || name.parse::<std::net::IpAddr>().is_ok() {
        return Ok(name.to_owned());
    }
    name.chars().all(is_of_name).then(|| name.to_owned()).ok_or(Fault::Host)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn with(text: &str, dialect: Dialect, variables: &[(&str, &str)]) -> Result<SqlTarget, Fault> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let lookup = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        server(dialect, Url::parse(text).unwrap(), &lookup)
    }

    fn postgres(text: &str) -> Result<SqlTarget, Fault> {
        with(text, Dialect::Postgres, &[])
    }

    fn mysql(text: &str) -> Result<SqlTarget, Fault> {
        with(text, Dialect::MySql, &[])
    }

    #[test]
    fn the_place_is_found_in_every_form() {
        for (text, shown) in [
            ("postgres://u@db.example.com/d", "db.example.com:5432"),
            ("postgres://u@db.example.com:6543/d", "db.example.com:6543"),
            ("postgres://u@[::1]:5433/d", "[::1]:5433"),
            ("postgres://u@[2001:db8::1]/d", "[2001:db8::1]:5432"),
            ("postgres://u@%2Fvar%2Frun%2Fpg/d", "/var/run/pg"),
            ("postgres:///d?host=/var/run/pg&user=u", "/var/run/pg"),
            ("postgres://u@ignored/d?host=db.example.com&port=1", "db.example.com:1"),
            ("postgres://u@/d?hostaddr=10.0.0.1", "10.0.0.1:5432"),
            ("postgres://u@my_db:5432/d?sslmode=require", "my_db:5432"),
        ] {
            assert_eq!(postgres(text).unwrap().host_shown(), shown, "{text}");
        }
        for (text, shown) in [
            ("mysql://u@db.example.com/d", "db.example.com:3306"),
            ("mysql://u@localhost/d?socket=/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock"),
            ("mysql://u@localhost/d?unix_socket=/s", "/s"),
        ] {
            assert_eq!(mysql(text).unwrap().host_shown(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, fault) in [
            ("postgres://db.example.com/d", Fault::NoUser),
            ("postgres://u@db.example.com", Fault::NoDatabase),
            ("postgres://u@db.example.com/", Fault::NoDatabase),
            ("postgres://u@db.example.com/a/b", Fault::Path),
            ("postgres://u@a,b/d", Fault::SeveralHosts),
            ("postgres://u@a/d?host=a,b", Fault::SeveralHosts),
            ("postgres://u@a:b/d", Fault::Port),
            ("postgres://u@a:99999/d", Fault::Port),
            ("postgres://u:secret/d", Fault::Port),
            ("postgres://u@2001:db8::1/d", Fault::Brackets),
            ("postgres://u@[2001:db8::1/d", Fault::Brackets),
            ("postgres://u@a(b)/d", Fault::Host),
            ("postgres://u@a/d?sslmode=of", Fault::TlsWord("sslmode")),
        ] {
            assert_eq!(postgres(text).err(), Some(fault), "{text}");
        }
        assert_eq!(mysql("mysql://u@/d").err(), Some(Fault::NoHost));
        assert_eq!(mysql("mysql://a/d").err(), Some(Fault::NoUser));
    }

    #[test]
    fn tls_is_as_strict_as_it_can_be() {
        use Tls::{Free, Full, Issuer, Plain, Unchecked};
        for (text, tls) in [
            ("postgres://u@db.example.com/d", Ok(Full)),
            ("postgres://u@10.0.0.1/d", Ok(Full)),
            ("postgres://u@db.example.com/d?sslmode=require", Ok(Unchecked)),
            ("postgres://u@db.example.com/d?sslmode=require&sslrootcert=ca.pem", Ok(Issuer)),
            ("postgres://u@db.example.com/d?sslmode=require&sslrootcert=system", Ok(Unchecked)),
            ("postgres://u@db.example.com/d?sslmode=verify-ca", Ok(Issuer)),
            ("postgres://u@db.example.com/d?sslmode=verify-full", Ok(Full)),
            ("postgres://u@db.example.com/d?sslmode=disable", Err(Fault::PlainText)),
            ("postgres://u@db.example.com/d?sslmode=allow", Err(Fault::PlainText)),
            ("postgres://u@db.example.com/d?sslmode=prefer", Err(Fault::PlainText)),
            ("postgres://u@db.example.com/d?ssl=false", Err(Fault::PlainText)),
            ("postgres://u@localhost/d", Ok(Free)),
            ("postgres://u@127.0.0.7/d", Ok(Free)),
            ("postgres://u@[::1]/d", Ok(Free)),
            ("postgres://u@localhost/d?sslmode=disable", Ok(Plain)),
            ("postgres://u@localhost/d?sslmode=verify-full", Ok(Full)),
            ("postgres://u@localhost/d?sslmode=require", Ok(Unchecked)),
            ("postgres:///d?host=/s&user=u&sslmode=verify-full", Ok(Free)),
        ] {
            assert_eq!(postgres(text).map(|target| target.tls), tls, "{text}");
        }
        assert_eq!(
            mysql("mysql://u@db.example.com/d?ssl-mode=DISABLED").err(),
            Some(Fault::PlainText)
        );
        let note = postgres("postgres://u@h/d?sslmode=require").unwrap().tls_note();
        assert_eq!(note, Some("certificate not checked"));
    }

    #[test]
    fn the_environment_fills_in_what_a_url_leaves_out() {
        let variables = [
            ("PGHOST", "db.example.com"),
            ("PGPORT", "7"),
            ("PGUSER", "someone"),
            ("PGDATABASE", "app"),
            ("PGPASSWORD", "hunter2"),
            ("PGSSLMODE", "require"),
            ("MYSQL_PWD", "hunter3"),
        ];
        let target = with("postgres://", Dialect::Postgres, &variables).unwrap();
        assert_eq!(target.host_shown(), "db.example.com:7");
        assert_eq!((target.user(), target.database().as_str()), ("someone", "app"));
        assert_eq!(target.password.unwrap().expose(), "hunter2");
        assert_eq!(target.tls, Tls::Unchecked);
        let target = with("postgres://u:p@h/d", Dialect::Postgres, &variables).unwrap();
        assert_eq!(target.password.unwrap().expose(), "p");
        let target = with("mysql://u@h/d", Dialect::MySql, &variables).unwrap();
        assert_eq!(target.password.as_ref().unwrap().expose(), "hunter3");
        assert!(!format!("{target:?}").contains("hunter3"));
        let fault = with("mysql://h", Dialect::MySql, &variables).err();
        assert_eq!(fault, Some(Fault::NoUser), "MySQL has no such variables");
    }
}
