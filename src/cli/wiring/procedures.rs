//! Procedures: the built-in ones, and the operator's documents in their folder.

use std::path::{Path, PathBuf};

use super::error::{WiringError, fail};
use crate::domain::procedure::{BUILT_IN, Procedure};

/// The built-in procedures and the operator's own; a file that bears a built-in's name takes its place.
///
/// # Errors
/// A folder or file that can't be read, or a document that is wrong or breaks a promise: with its line.
pub fn procedures(folder: &Path) -> Result<Vec<Procedure>, WiringError> {
    Ok(procedure_documents(Some(folder))?.into_iter().map(|document| document.procedure).collect())
}

/// A procedure with its document.
pub struct ProcedureDocument {
    pub procedure: Procedure,
    /// A path, or `built-in role-swap`.
    pub origin: String,
    pub text: String,
}

/// As [`procedures`], with the texts.
pub fn procedure_documents(folder: Option<&Path>) -> Result<Vec<ProcedureDocument>, WiringError> {
    let built_in = |(name, text): &(&str, &str)| document(format!("built-in {name}"), (*text).to_owned());
    let mut documents = BUILT_IN.iter().map(built_in).collect::<Result<Vec<_>, _>>()?;
    for path in folder.map_or_else(|| Ok(Vec::new()), document_files)? {
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| fail(&origin, error))?;
        let own = document(origin, text)?;
        documents.retain(|known: &ProcedureDocument| known.procedure.name != own.procedure.name);
        documents.push(own);
    }
    Ok(documents)
}

fn document(origin: String, text: String) -> Result<ProcedureDocument, WiringError> {
    let procedure = Procedure::load(&origin, &text).map_err(|error| fail("procedures", error))?;
    Ok(ProcedureDocument { procedure, origin, text })
}

fn document_files(folder: &Path) -> Result<Vec<PathBuf>, WiringError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A folder that isn't there holds no procedures; the config warns where it was named.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(folder.display().to_string(), error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(|error| fail(folder.display().to_string(), error))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    Ok(paths)
}
