//! The metrics of the bus of rooms (`--bus`).

use std::{fmt, sync::atomic::Ordering::Relaxed};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{
    bus::{BUS, BusCounts},
    labels::OfPlace,
    present::{PRESENT, counter, gauge, gauges},
};

/// Encodes the bus at each scrape, if there is one.
#[derive(Debug)]
pub(super) struct BusCollector;

impl Collector for BusCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(BusCounts { is_up, losses, gaps, round_trip }) = BUS.counts() else { return Ok(()) };
        let encoder = &mut encoder;
        gauge(encoder, "wsd_bus_up", "Whether Redis answers", u64::from(is_up))?;
        counter(encoder, "wsd_bus_losses", "Times that Redis answered no more", losses)?;
        let help = "Times that clients here missed messages of a room of another node";
        counter(encoder, "wsd_bus_gaps", help, gaps)?;
        let help = "Time of the last heartbeat to Redis and back";
        gauge(encoder, "wsd_bus_round_trip_seconds", help, round_trip.as_secs_f64())?;
        let (mut here, mut elsewhere, mut clients, mut waiting) = (0, 0, 0, 0);
        for room in PRESENT.listed().rooms {
            let Some(cluster) = &room.cluster else { continue };
            *(if room.pid().is_some() { &mut here } else { &mut elsewhere }) += 1;
            clients += cluster.others().len() as u64;
            waiting += (cluster.output.load(Relaxed) + cluster.input.load(Relaxed)) as u64;
        }
        let rooms = [(OfPlace { program: "here" }, here), (OfPlace { program: "elsewhere" }, elsewhere)];
        gauges(encoder, "wsd_bus_rooms", "Rooms of the cluster with clients here, or with their program here", rooms)?;
        let help = "Clients on other nodes, of programs that run here";
        gauge(encoder, "wsd_bus_other_clients", help, clients)?;
        gauge(encoder, "wsd_bus_waiting_bytes", "Bytes of rooms that wait for Redis", waiting)
    }
}
