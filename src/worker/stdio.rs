//! The standard streams of a program: how wsd connects them.

use super::variable::Variable;
use crate::framing::window::WindowSize;

/// How a program's standard streams reach wsd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// By three pipes.
    #[default]
    Pipes,
    /// Standard output by a pseudo-terminal in raw mode, the others by pipes (`--unbuffer`).
    ///
    /// The C library and most languages send each line to a terminal at once. The terminal controls no process, so that it
    /// sends no signals.
    Unbuffered,
    /// By a terminal of this size, which controls the program (`--pty`).
    Terminal(WindowSize),
}

impl Stdio {
    /// Whether the program leads a session whose terminal is its standard input.
    pub(crate) fn is_controlling(self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Adds the variables by which programs know the kind of their terminal, unless the administrator passes them.
    pub(super) fn add_variables(self, environment: &mut Vec<Variable>) {
        let own: &[(&str, &str)] = match self {
            Self::Pipes => &[],
            // No colours and no pager, as through a pipe.
            Self::Unbuffered => &[("TERM", "dumb"), ("NO_COLOR", "1")],
            Self::Terminal(_) => &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
        };
        for (name, value) in own {
            if !environment.iter().any(|known| known.name() == *name) {
                environment.push(Variable::new(name, value));
            }
        }
    }
}
