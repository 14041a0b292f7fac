//! What is wrong with what `--to` names, in words that never repeat it: it may have a password.

use std::path::PathBuf;

use thiserror::Error;

/// Why `--to` names no store.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{source_name}: {fault}")]
pub struct TargetError {
    /// Where the text came from: `--to`, or `--to env:NAME`.
    pub source_name: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// `env:` of a variable that is not set.
    #[error("the variable is not set, neither in the environment nor in --env-file")]
    NotSet,
    /// `env:` without the name of a variable.
    #[error("name a variable, as in env:DATABASE_URL")]
    NoVariable,
    /// The name of a variable without `env:`.
    #[error("no such file; for the variable, write --to env:{0}")]
    VariableWithoutEnv(String),
    /// `exec:` without a program.
    #[error("name a program, as in exec:./store-helper")]
    NoProgram,
    /// `exec:` with an open quote.
    #[error("a quote in the command is not closed")]
    OpenQuote,
    /// A URL with a password on the command line.
    #[error(
        "the URL has a password, which the list of processes and the shell's history show: \
         put the URL into a variable and write --to env:NAME"
    )]
    PasswordShown,
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Quotes around it.
    #[error("it has quotes around it: take them off")]
    Quotes,
    /// `NAME=` before it.
    #[error("it begins with the name of a variable and `=`: take them off")]
    Assignment,
    /// A command before it.
    #[error("it begins with a command, such as psql: keep the URL alone")]
    Command,
    /// `jdbc:` before it.
    #[error("it begins with jdbc: take `jdbc:` off, and put USER:PASSWORD@ before the host")]
    Jdbc,
    /// Supabase's API.
    #[error(
        "that is the address of Supabase's API: take the connection string, which the dashboard \
         shows under Connect"
    )]
    SupabaseApi,
    /// Another web address.
    #[error(
        "that is a web address: take the database's connection string, postgres://… or mysql://…"
    )]
    WebAddress,
    /// Prisma's own address.
    #[error("that is the address of Prisma's service: take the URL of the database behind it")]
    Prisma,
    /// libSQL over the network.
    #[error("libSQL over the network is not built in: write through a program, --to exec:PROGRAM")]
    LibSql,
    /// No scheme that is known.
    #[error(
        "that is neither a file nor a URL of a store: write postgres://, mysql://, sqlite:, \
         mongodb://, exec:PROGRAM, env:NAME, or the path of a SQLite file"
    )]
    Unknown,
    /// Keywords instead of a URL.
    #[error("write it as a URL: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or mysql://…")]
    NotAUrl,
    /// A character that must be written otherwise.
    #[error("the password has a `{character}`: write `{code}`")]
    Raw {
        /// The character.
        character: char,
        /// What to write instead.
        code: &'static str,
    },
    /// A `#` where no password is.
    #[error("it has a `#`: write `%23`")]
    Fragment,
    /// A blank within.
    #[error("it has a blank within: write `%20`, or take it out")]
    Blank,
    /// A `%` that stands for nothing.
    #[error("the {0} has a `%` without two hex digits after it: write `%25`")]
    Percent(&'static str),
    /// Percent codes that are no text.
    #[error("the percent codes of the {0} are no UTF-8 text")]
    NotText(&'static str),
    /// A placeholder where the password belongs.
    #[error(
        "the password is still a placeholder, such as [YOUR-PASSWORD]: put the password there, without brackets"
    )]
    Placeholder,
    /// A port that is no number.
    #[error("the port is no number; is the `@` before the host missing?")]
    Port,
    /// An IPv6 address without brackets.
    #[error("write an IPv6 address in brackets, as in [2001:db8::1]:5432")]
    Brackets,
    /// A host with characters that no host has.
    #[error("the host has a character that no host's name has")]
    Host,
    /// No host.
    #[error("it names no host")]
    NoHost,
    /// More than one host.
    #[error("it names several hosts: name the one that takes writes")]
    SeveralHosts,
    /// No user.
    #[error("it names no user: write USER@ before the host")]
    NoUser,
    /// No database.
    #[error("it names no database: write /NAME after the host")]
    NoDatabase,
    /// A path of several parts.
    #[error("the database's name has a `/`: write `%2F`, or take it off")]
    Path,
    /// A word for TLS that means nothing.
    #[error("{0} has no such value; leave it out, or write verify-full")]
    TlsWord(&'static str),
    /// Plain text to another machine.
    #[error(
        "tokens would travel in plain text to another host: leave sslmode and ssl out, or tunnel \
         with ssh and connect to 127.0.0.1"
    )]
    PlainText,
    /// A file of passwords that others can read.
    #[error("others can read the file of passwords, which is therefore not used: chmod 600 {}", .0.display())]
    OpenPassFile(PathBuf),
    /// No such file.
    #[error("no such file: {}", .0.display())]
    NoFile(PathBuf),
    /// The value of a variable is no URL, and no file has that name.
    #[error(
        "its value is no URL of a store, and no file of that name is there (a path counts from \
         the current folder)"
    )]
    NoFileOfVariable,
    /// Two files could be meant.
    #[error("both {} and {} are there: give the path alone", .0.display(), .1.display())]
    TwoFiles(PathBuf, PathBuf),
    /// A file that cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// A folder.
    #[error("{} is no file", .0.display())]
    NoPlainFile(PathBuf),
    /// An empty file.
    #[error("{} is empty: not the app's database", .0.display())]
    EmptyFile(PathBuf),
    /// A file of something else.
    #[error("{} is no SQLite database, or it is encrypted", .0.display())]
    NotSqlite(PathBuf),
    /// A database in memory.
    #[error("a database in memory is of no use here: name a file")]
    Memory,
}
