//! A sentence for each cause, with what to do next.

use std::io::ErrorKind;

use super::{addresses::Addresses, cause::Cause};
use crate::store::{
    sql::{codes, error::SqlErrorKind},
    target::{Dialect, Place, SqlTarget},
};

const SUPABASE_CA: &str = "Supabase's is under Project Settings, Database, SSL Configuration, \
    Download certificate";

const SESSION_POOLER: &str = "take the address of the session pooler, which Supabase shows under \
    Connect; it has IPv4";

const PG_PASSWORD: &str = "PGPASSWORD or ~/.pgpass";

/// What is to be done, in kind and in words.
pub fn advice(target: &SqlTarget, cause: &Cause, addresses: Addresses) -> (SqlErrorKind, String) {
    match cause {
        Cause::Postgres(code, words) => postgres(target, code, words),
        Cause::MySql(number) => mysql(target, *number),
        Cause::Other(error) => (error.kind, error.to_string()),
        cause => (kind(target, cause), without_code(target, cause, addresses)),
    }
}

/// What passes by itself: a server that restarts takes its socket along.
fn kind(target: &SqlTarget, cause: &Cause) -> SqlErrorKind {
    match (cause, &target.place) {
        (Cause::Io(ErrorKind::PermissionDenied), _) => SqlErrorKind::Denied,
        (Cause::Silent | Cause::Io(_), Place::Host { .. } | Place::Socket { .. }) => {
            SqlErrorKind::Lost
        }
        _ => SqlErrorKind::Refused,
    }
}

fn without_code(target: &SqlTarget, cause: &Cause, addresses: Addresses) -> String {
    let roots = match target.dialect {
        Dialect::MySql => "ssl-ca=FILE",
        _ => "sslrootcert=FILE",
    };
    match cause {
        Cause::Silent | Cause::Io(_) => unreached(target, cause, addresses),
        Cause::NoTls => "the server does without TLS, and tokens do not travel in plain text: \
            switch its TLS on, or tunnel with ssh and connect to 127.0.0.1"
            .to_owned(),
        Cause::UnknownIssuer if is_supabase(target) => format!(
            "nobody who is known here vouches for its certificate: put {roots} with the issuer's \
             certificate into the URL; {SUPABASE_CA}"
        ),
        Cause::UnknownIssuer => format!(
            "nobody who is known here vouches for its certificate: put {roots} with the issuer's \
             certificate into the URL (the provider's dashboard has it; {SUPABASE_CA})"
        ),
        Cause::OtherName => "its certificate is for another name: connect by the name that it is \
            for"
        .to_owned(),
        Cause::Expired => "its certificate is past its time: renew it, and look whether this \
            machine's clock is right"
            .to_owned(),
        Cause::Tls => "TLS fails: is this the port of the database, and does the server speak \
            TLS 1.2 or later?"
            .to_owned(),
        _ => unusable(target),
    }
}

fn unusable(target: &SqlTarget) -> String {
    match (&target.tls_files.roots, target.dialect) {
        _ if target.roots().is_err() || target.client_files().is_err() => {
            "the files of certificates that the URL names cannot be read".to_owned()
        }
        (Some(file), _) => format!(
            "{} is no file of certificates (PEM), or the server asks for a way of signing in that \
             is not known here",
            file.display()
        ),
        (None, Dialect::MySql) => "the server asks for a way of signing in that is not known here \
            or needs TLS: take a user with a password, and switch the server's TLS on"
            .to_owned(),
        (None, _) => "the answer is not understood: is this the port of the database, and has the \
            user a password (SCRAM or MD5)?"
            .to_owned(),
    }
}

/// The server gives no answer.
fn unreached(target: &SqlTarget, cause: &Cause, addresses: Addresses) -> String {
    let is_supabase = is_supabase(target);
    match (&target.place, cause, addresses) {
        (Place::Host { .. }, _, Addresses::None) if is_supabase => format!(
            "the host's name is not known: is the project paused or gone? If not, {SESSION_POOLER}"
        ),
        (Place::Host { .. }, _, Addresses::None) => {
            "the host's name is not known: look at its spelling, and whether this machine resolves \
             names"
                .to_owned()
        }
        (Place::Host { .. }, Cause::Io(ErrorKind::ConnectionRefused), _) => {
            "nothing listens there: is the server up, and the port right?".to_owned()
        }
        (Place::Host { .. }, _, Addresses::OnlyV6) => format!(
            "the host has IPv6 alone, and this machine does not reach it: {SESSION_POOLER} \
             (other providers have such an address too)"
        ),
        (Place::Host { .. }, Cause::Silent | Cause::Io(ErrorKind::TimedOut), _) => {
            "no answer within 10 seconds: does a firewall, or the provider's list of allowed \
             addresses, keep this machine out?"
                .to_owned()
        }
        (
            Place::Host { .. },
            Cause::Io(ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable),
            _,
        ) => "the network does not reach it: is a VPN needed?".to_owned(),
        (
            Place::Socket { .. },
            Cause::Io(ErrorKind::NotFound | ErrorKind::ConnectionRefused),
            _,
        ) => "no server at this socket: is it up, and the path right?".to_owned(),
        (Place::File(_), Cause::Io(ErrorKind::NotFound), _) => "no such file".to_owned(),
        (_, Cause::Io(ErrorKind::PermissionDenied), _) => "this user may not open it".to_owned(),
        (Place::File(_), ..) => "the file cannot be read".to_owned(),
        _ => "the server closed the connection: is this the port of the database?".to_owned(),
    }
}

/// PostgreSQL.
fn postgres(target: &SqlTarget, code: &str, words: &str) -> (SqlErrorKind, String) {
    use SqlErrorKind::{Denied, Lost, Refused};
    let has = |mark: &str| words.contains(mark);
    let (user, database) = (target.user(), target.database());
    match code {
        "28P01" => (Denied, signing_in(target, PG_PASSWORD)),
        "28000" if has("pg_hba.conf") => (
            Denied,
            format!(
                "the server lets user {user} into database {database} from other addresses alone \
                 (pg_hba.conf), or only with TLS: allow this machine's address there"
            ),
        ),
        "28000" if has("eer authentication") || has("dent authentication") => (
            Denied,
            format!(
                "this socket is for the system's user {user}: run as that user, or connect to \
                 127.0.0.1 with a password"
            ),
        ),
        "3D000" => (Refused, no_database(target)),
        "42501" => (Denied, format!("user {user} may not connect to database {database}")),
        "53300" => (Lost, full()),
        "57P03" => (Lost, "the server is starting up or shutting down".to_owned()),
        _ => pooler(target, code, words).unwrap_or_else(|| {
            let error = codes::postgres(code, words, "", "");
            (error.kind, error.to_string())
        }),
    }
}

/// A pooler before PostgreSQL. pgbouncer has one code for all, and Supabase's pooler another: there
/// the words decide.
fn pooler(target: &SqlTarget, code: &str, words: &str) -> Option<(SqlErrorKind, String)> {
    use SqlErrorKind::{Denied, Lost, Refused};
    let has = |mark: &str| words.contains(mark);
    if !matches!(code, "08P01" | "XX000" | "58000") {
        return None;
    }
    Some(if has("enant or user not found") {
        let advice = "the pooler knows no such project or user: the user is postgres.PROJECT, and \
            the host has the project's region";
        (Denied, advice.to_owned())
    } else if has("startup parameter") {
        let advice = "the pooler refuses a start-up parameter: unset PGOPTIONS";
        (Refused, advice.to_owned())
    } else if has("no such database") {
        (Refused, no_database(target))
    } else if has("no such user") || has("auth") {
        (Denied, signing_in(target, PG_PASSWORD))
    } else if has("max client") || has("MaxClients") || has("no more connections") {
        (Lost, full())
    } else {
        return None;
    })
}

fn mysql(target: &SqlTarget, number: u16) -> (SqlErrorKind, String) {
    use SqlErrorKind::{Denied, Lost, Refused};
    let (user, database) = (target.user(), target.database());
    match number {
        1045 | 1698 => (Denied, signing_in(target, "MYSQL_PWD")),
        1044 => (Denied, format!("user {user} may not use database {database}, or there is none")),
        1049 => (Refused, no_database(target)),
        1130 => (Denied, format!("the server lets user {user} in from other addresses alone")),
        1129 => (Denied, "the server keeps this address out: FLUSH HOSTS there".to_owned()),
        1040 | 1203 => (Lost, full()),
        3159 => {
            (Denied, "the server wants TLS: put ssl-mode=VERIFY_IDENTITY into the URL".to_owned())
        }
        _ => {
            let error = codes::mysql(number, "");
            (error.kind, error.to_string())
        }
    }
}

fn signing_in(target: &SqlTarget, elsewhere: &str) -> String {
    let user = target.user();
    let pooler = target.remote_host().is_some_and(|host| host.ends_with(".pooler.supabase.com"));
    if pooler && !user.contains('.') {
        return format!("user {user} is not let in: for this pooler the user is postgres.PROJECT");
    }
    if target.password.is_none() {
        return format!(
            "user {user} needs a password: put it into the URL's variable, {elsewhere}"
        );
    }
    format!("user {user} is not known there, or the password is wrong")
}

fn no_database(target: &SqlTarget) -> String {
    format!("there is no database {}: it is what follows the host in the URL", target.database())
}

fn full() -> String {
    "no connection is free there: end some, or take the pooler's address".to_owned()
}

fn is_supabase(target: &SqlTarget) -> bool {
    target
        .remote_host()
        .is_some_and(|host| [".supabase.co", ".supabase.com"].iter().any(|end| host.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use std::{io, path::PathBuf};

    use super::*;
    use crate::{secret::Secret, store::target::Tls};

    fn target(dialect: Dialect, host: &str) -> SqlTarget {
        SqlTarget {
            dialect,
            place: Place::Host { name: host.into(), port: 5432 },
            user: "app_user".into(),
            password: Some(Secret::new("SECRET".into())),
            database: "app".into(),
            tls: Tls::Full,
            ..SqlTarget::sqlite(&PathBuf::new())
        }
    }

    fn said(target: &SqlTarget, cause: &Cause, addresses: Addresses) -> String {
        let (kind, advice) = advice(target, cause, addresses);
        assert!(!advice.contains("SECRET"), "{advice}");
        format!("{kind:?}: {advice}")
    }

    fn pg(code: &str, words: &str) -> Cause {
        Cause::Postgres(code.into(), words.into())
    }

    #[test]
    fn each_cause_says_what_to_do() {
        use io::ErrorKind as Kind;
        let there = target(Dialect::Postgres, "db.example.com");
        let supabase = target(Dialect::Postgres, "db.abc.supabase.co");
        let pooler = target(Dialect::Postgres, "aws-0-eu-central-1.pooler.supabase.com");
        let mysql = target(Dialect::MySql, "db.example.com");
        let (some, unasked) = (Addresses::Some, Addresses::Unasked);
        for (target, cause, addresses, begin, mark) in [
            (&there, Cause::Io(Kind::ConnectionRefused), some, "Lost", "port right"),
            (
                &there,
                Cause::Io(Kind::NetworkUnreachable),
                Addresses::OnlyV6,
                "Lost",
                "session pooler",
            ),
            (&there, Cause::Silent, Addresses::OnlyV6, "Lost", "session pooler"),
            (&there, Cause::Silent, some, "Lost", "allowed addresses"),
            (&there, Cause::Io(Kind::Other), Addresses::None, "Lost", "spelling"),
            (&supabase, Cause::Io(Kind::Other), Addresses::None, "Lost", "paused"),
            (&there, Cause::NoTls, unasked, "Refused", "tunnel"),
            (&there, Cause::UnknownIssuer, unasked, "Refused", "sslrootcert=FILE"),
            (&there, Cause::UnknownIssuer, unasked, "Refused", "Download certificate"),
            (&supabase, Cause::UnknownIssuer, unasked, "Refused", "SSL Configuration"),
            (&mysql, Cause::UnknownIssuer, unasked, "Refused", "ssl-ca=FILE"),
            (&there, Cause::OtherName, unasked, "Refused", "another name"),
            (&there, pg("28P01", "password authentication failed"), unasked, "Denied", "wrong"),
            (&pooler, pg("28P01", ""), unasked, "Denied", "postgres.PROJECT"),
            (&pooler, pg("XX000", "Tenant or user not found"), unasked, "Denied", "region"),
            (&there, pg("28000", "no pg_hba.conf entry"), unasked, "Denied", "pg_hba.conf"),
            (&there, pg("28000", "Peer authentication failed"), unasked, "Denied", "127.0.0.1"),
            (&there, pg("3D000", "SECRET"), unasked, "Refused", "no database app"),
            (&there, pg("53300", ""), unasked, "Lost", "pooler"),
            (&there, pg("57P03", ""), unasked, "Lost", "starting"),
            (&there, pg("08P01", "no such database: x"), unasked, "Refused", "no database app"),
            (
                &there,
                pg("08P01", "unsupported startup parameter: options"),
                unasked,
                "Refused",
                "PGOPTIONS",
            ),
            (
                &there,
                pg("08P01", "no more connections allowed (max_client_conn)"),
                unasked,
                "Lost",
                "free",
            ),
            (&mysql, Cause::MySql(1045), unasked, "Denied", "wrong"),
            (&mysql, Cause::MySql(1049), unasked, "Refused", "no database app"),
            (&mysql, Cause::MySql(1040), unasked, "Lost", "free"),
            (&mysql, Cause::Unusable, unasked, "Refused", "signing in"),
        ] {
            let said = said(target, &cause, addresses);
            assert!(said.starts_with(begin) && said.contains(mark), "{cause:?}: {said}");
        }
    }

    #[test]
    fn a_missing_password_is_no_wrong_one() {
        let target = SqlTarget { password: None, ..target(Dialect::Postgres, "h") };
        let said = said(&target, &pg("28P01", ""), Addresses::Unasked);
        assert!(said.contains("PGPASSWORD or ~/.pgpass"), "{said}");
    }
}
