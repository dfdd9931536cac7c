//! Named pipes where files are expected: opening one would wait for ever.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use changeover::config::{check_files, load};

use super::{ACTIONS, MAIN, SITE, changed};

/// What is said of a configuration with pipes at these places, which must be soon.
fn said_of(folder: &Path, files: &[(&str, &str)], pipes: &[&str]) -> String {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for pipe in pipes {
        let path = folder.join(pipe);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }
    let (told, said) = mpsc::channel();
    let main = folder.join("changeover.toml");
    std::thread::spawn(move || {
        let lines = match load(&main, ACTIONS) {
            Ok(settings) => check_files(&settings).iter().map(|problem| format!("{problem}\n")).collect(),
            Err(errors) => errors.to_string(),
        };
        told.send(lines)
    });
    said.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("{pipes:?}: no word"))
}

#[test]
fn a_pipe_for_a_sites_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = said_of(folder.path(), &[("changeover.toml", "")], &["sites.d/support.toml"]);
    assert!(said.contains("sites.d/support.toml: is not a plain file"), "{said}");
}

#[test]
fn a_pipe_for_a_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let site = changed(SITE, "../secrets/tsig.b64", "tsig");
    let said = said_of(folder.path(), &[("changeover.toml", ""), ("sites.d/support.toml", &site)], &["sites.d/tsig"]);
    assert!(said.contains("sites.d/tsig is not a file"), "{said}");
}

/// `--config <(…)`.
#[test]
fn the_main_file_may_be_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("changeover.toml");
    let writer = std::thread::spawn({
        let main = main.clone();
        move || {
            let made = || fs::metadata(&main).is_ok();
            while !made() {
                std::thread::yield_now();
            }
            fs::write(main, MAIN)
        }
    });
    let said = said_of(folder.path(), &[], &["changeover.toml"]);
    assert!(!said.contains("plain file"), "{said}");
    writer.join().unwrap().unwrap();
}
