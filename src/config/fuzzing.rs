//! Laws of this room for any file of settings, for the fuzz targets.

use std::{ffi::OsString, sync::Arc};

use super::{Plan, error::Error, file, server};
use crate::{
    answer::routes::Routes,
    cli::{self, CommandLine},
};

/// The routes that a file of this text makes.
pub(crate) fn routes(text: &str) -> Result<Routes, String> {
    load(&mut Plan::default(), &no_flags(), text).map_err(|error| error.to_string())
}

/// A file is good or has its fault told, with a way out; loaded again, it changes nothing.
pub(crate) fn config(text: &str) {
    let (mut plan, flags) = (Plan::default(), no_flags());
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

/// All that loading a file does but to look up the names of machines.
fn load(plan: &mut Plan, line: &CommandLine, text: &str) -> Result<Routes, Error> {
    let mut file = file::parse("wsd.toml".to_owned(), text.to_owned())?;
    file.flags.listen.address = None;
    server(line, &file)?;
    plan.build(line, &file)
}
