//! Procedures: the built-in ones, and the operator's documents in their folder.

use std::path::{Path, PathBuf};

use super::error::{WiringError, fail};
use super::files;
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
    let own = folder.map_or_else(|| Ok(Vec::new()), own_documents)?;
    documents.retain(|built_in| own.iter().all(|own| own.procedure.name != built_in.procedure.name));
    documents.extend(own);
    Ok(documents)
}

/// Two of one name: nobody could tell which one a run follows.
fn own_documents(folder: &Path) -> Result<Vec<ProcedureDocument>, WiringError> {
    let mut documents: Vec<ProcedureDocument> = Vec::new();
    for path in document_files(folder)? {
        let origin = path.display().to_string();
        let text = files::plain(&path).and_then(std::fs::read_to_string).map_err(|error| fail(&origin, error))?;
        let own = document(origin, text)?;
        let name = &own.procedure.name;
        if let Some(other) = documents.iter().find(|known| known.procedure.name == *name) {
            let what =
                format!("its name `{name}` is the name of {} too; give one of them another, or take it away", other.origin);
            return Err(fail(own.origin, what));
        }
        documents.push(own);
    }
    Ok(documents)
}

fn document(origin: String, text: String) -> Result<ProcedureDocument, WiringError> {
    let procedure = Procedure::load(&origin, &text).map_err(|error| fail("procedures", error))?;
    Ok(ProcedureDocument { procedure, origin, text })
}

/// The `.toml` files of the folder by name. Hidden ones are editors' leftovers.
fn document_files(folder: &Path) -> Result<Vec<PathBuf>, WiringError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A folder that isn't there holds no procedures; the config warns where it was named.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(folder.display().to_string(), error)),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(|error| fail(folder.display().to_string(), error))?;
    let hidden = |path: &Path| path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    paths.retain(|path| !hidden(path) && path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    Ok(paths)
}
