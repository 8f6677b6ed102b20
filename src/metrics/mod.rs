//! The metrics: counts what happens, and knows what is there now.
//!
//! Most counts come from events, each in [`Event::emit`](crate::event::Event::emit). The traffic of a session is its own
//! [`TrafficMeter`](live::TrafficMeter): the data path locks nothing, and shares no line of the cache. A scrape adds up the sessions that
//! there are, and those that have ended.

pub(crate) mod bus;
mod cluster;
pub(crate) mod counts;
pub(crate) mod labels;
pub(crate) mod live;
pub(crate) mod mcp;
pub(crate) mod present;
mod process;
pub(crate) mod recent;
pub(crate) mod route;
pub(crate) mod shown;
pub(crate) mod snapshot;
pub(crate) mod text;
