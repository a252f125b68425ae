//! Which files of a configuration other users of the machine can read. What stays true: only what holds a secret or what
//! was accepted is looked at, and only what is this process's own is mended.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::Config;

/// What is open to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The file or directory.
    pub path: PathBuf,
    /// What it holds.
    pub holds: &'static str,
    /// The mode that it should have.
    pub mode: u32,
    /// Whether others than this server may have been given it on purpose, as a certificate's key is by its group.
    pub is_shared: bool,
}

impl Exposed {
    /// Sets its mode, if it belongs to this process's user and nobody is meant to share it; says whether.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn mend(&self) -> io::Result<bool> {
        let is_ours = std::fs::metadata(&self.path)?.uid() == geteuid().as_raw();
        if is_ours && !self.is_shared {
            std::fs::set_permissions(&self.path, Permissions::from_mode(self.mode))?;
        }
        Ok(is_ours && !self.is_shared)
    }
}

impl Config {
    /// What holds secrets and can be read by others than its owner. The store looks at the master keys itself.
    pub fn exposed(&self) -> Vec<Exposed> {
        let named = |path: &Option<PathBuf>, holds, is_shared| {
            path.clone().map(|path| Exposed { path, holds, mode: 0o600, is_shared })
        };
        let file = |path: &Option<PathBuf>, holds| named(path, holds, false);
        let path = self.store.path.clone();
        let data = Exposed { path, holds: "the data directory", mode: 0o700, is_shared: false };
        let all = [
            file(&self.secrets_in, "a configuration with secrets"),
            named(&self.server.tls_key, "the key of the certificate", true),
            file(&self.store.password_file, "the password of the database"),
            file(&self.smtp.password_file, "the password of the mail server"),
            file(&self.oidc.client_secret_file, "the secret for the identity provider"),
            Some(data),
        ];
        all.into_iter().flatten().filter(|one| is_open(&one.path)).collect()
    }
}

/// Whether it is there, and the group or others may read it.
fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o044 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_mended_but_what_may_be_shared_on_purpose() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, "").expect("a file");
        let mode = || std::fs::metadata(&path).expect("it is there").mode() & 0o777;
        for (is_shared, left) in [(true, 0o644), (false, 0o600)] {
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("it is ours");
            let exposed = Exposed { path: path.clone(), holds: "it", mode: 0o600, is_shared };
            assert_eq!((exposed.mend().expect("it is there"), mode()), (!is_shared, left));
        }
        let gone = Exposed { path: dir.path().join("gone"), holds: "it", mode: 0o600, is_shared: false };
        gone.mend().expect_err("it is not there");
    }

    #[test]
    fn what_others_can_read_is_named_with_its_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        let set = |name: &str, mode| {
            std::fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).expect("it is there");
        };
        std::fs::write(path("key.pem"), "").expect("a file");
        std::fs::create_dir(path("data")).expect("a directory");
        let named = |text: &str| {
            std::fs::write(path("config.toml"), text).expect("a file");
            let config = crate::config::load(Some(&path("config.toml"))).expect("it fits");
            let config = Config { store: crate::config::StoreConfig { path: path("data"), ..config.store }, ..config };
            config.exposed().into_iter().map(|one| (one.path, one.mode)).collect::<Vec<_>>()
        };
        let tls = "[server]\ntls_certificate = 'chain.pem'\ntls_key = 'key.pem'\n";
        for mode in [0o640, 0o604] {
            [("config.toml", mode), ("key.pem", mode)].into_iter().for_each(|(name, mode)| {
                std::fs::write(path(name), "").expect("a file");
                set(name, mode);
            });
            set("data", mode | 0o111);
            let all = named(&format!("{tls}[auth]\nadmin_key = '0123456789abcdef'"));
            assert_eq!(all, [(path("config.toml"), 0o600), (path("key.pem"), 0o600), (path("data"), 0o700)]);
            assert_eq!(named(tls), [(path("key.pem"), 0o600), (path("data"), 0o700)], "no secret is in the file");
        }
        for name in ["config.toml", "key.pem", "data"] {
            set(name, 0o700);
        }
        assert_eq!(named("[auth]\nadmin_key = '0123456789abcdef'"), []);
    }
}
