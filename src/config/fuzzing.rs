//! Laws that hold for every file of settings; the fuzz targets check them.

use std::{ffi::OsString, sync::Arc};

use super::{Plan, error::Error, file, server};
use crate::{
    answer::routes::Routes,
    cli::{self, CommandLine},
};

/// Returns the routes that a file with this text defines.
pub(crate) fn routes(text: &str) -> Result<Routes, String> {
    load(&mut Plan::new(None), &no_flags(), text).map_err(|error| error.to_string())
}

/// Loads a file with this text. An invalid file gets an error with a hint; a valid file, loaded twice, keeps its routes.
pub(crate) fn config(text: &str) {
    let (mut plan, flags) = (Plan::new(None), no_flags());
    match load(&mut plan, &flags, text) {
        Err(error) => assert!(!error.message.is_empty() && !error.hint.is_empty(), "{error:?}"),
        Ok(routes) => {
            let again = load(&mut plan, &flags, text).expect("it was good before");
            let is_same =
                |(one, other): (&(_, Arc<_>), &(_, Arc<_>))| one.0 == other.0 && Arc::ptr_eq(&one.1, &other.1);
            assert!(routes.table.len() == again.table.len() && routes.table.iter().zip(&again.table).all(is_same));
            assert!(Arc::ptr_eq(&routes.otherwise, &again.otherwise));
        }
    }
}

fn no_flags() -> CommandLine {
    cli::parse([OsString::from("wsd")]).expect("no flags are good flags")
}

/// Loads a file as wsd does, but looks up no host names.
fn load(plan: &mut Plan, line: &CommandLine, text: &str) -> Result<Routes, Error> {
    let mut file = file::parse("wsd.toml".to_owned(), text.to_owned())?;
    file.flags.listen.address = None;
    let flags = line.over(file.flags.clone());
    server(line, &file, &flags)?;
    plan.build(line, &file, &flags)
}
