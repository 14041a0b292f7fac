//! A CA of the test's own with a certificate for `localhost`, and another CA that knows nothing of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::find::run;

/// Where the files are. The server's key is `server.key`.
pub(crate) struct Certificates {
    /// The CA that signed the server's certificate.
    pub(crate) ca: PathBuf,
    /// The CA that did not.
    pub(crate) wrong_ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Certificates {
    pub(super) fn paths(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        Self {
            ca: file("ca.pem"),
            wrong_ca: file("wrong-ca.pem"),
            certificate: file("server.pem"),
            key: file("server.key"),
        }
    }

    /// Makes them. For whoever reads the certificate, its host is `localhost` and no address.
    pub(super) fn make(folder: &Path) -> Self {
        let made = Self::paths(folder);
        let new = |certificate: &Path, key: &Path, words: &[&str]| {
            let mut command = Command::new("openssl");
            command.args(["req", "-x509", "-nodes", "-days", "30", "-newkey", "ec"]);
            command.args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout"]).arg(key);
            run(command.arg("-out").arg(certificate).args(words));
        };
        let authority = "basicConstraints=critical,CA:TRUE";
        for (certificate, key) in [(&made.ca, "ca.key"), (&made.wrong_ca, "wrong-ca.key")] {
            let words = ["-subj", "/CN=a CA of the tests", "-addext", authority];
            new(certificate, &folder.join(key), &words);
        }
        let [ca, ca_key] = [made.ca.clone(), folder.join("ca.key")];
        let signed_by = ["-CA", ca.to_str().unwrap(), "-CAkey", ca_key.to_str().unwrap()];
        let host = ["-addext", "subjectAltName=DNS:localhost", "-subj", "/CN=localhost"];
        let end = ["-addext", "basicConstraints=critical,CA:FALSE"];
        new(&made.certificate, &made.key, &[&signed_by[..], &host, &end].concat());
        fs::remove_file(folder.join("wrong-ca.key")).unwrap();
        made
    }
}
