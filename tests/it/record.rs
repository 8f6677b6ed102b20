//! `--record` and `wsd replay`: what is in a recording, what ends one, and what a replay finds.

mod cuts;
mod files;
mod kit;
mod replays;
mod settings;
mod speeds;
