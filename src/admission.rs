//! Permits, which limit the number of workers at a time.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use crate::sources::SourceSlot;

/// The fork slots (`--maxforks`) of wsd, or of wsd and a route.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    limits: Vec<Arc<Slots>>,
}

/// One limit, and the number of its slots that are taken.
#[derive(Debug)]
struct Slots {
    limit: AtomicUsize,
    taken: AtomicUsize,
    /// The taken slots that others may have, the oldest offer first.
    offers: Mutex<VecDeque<Arc<Offer>>>,
}

/// A slot of each limit. A worker holds it until it has ended and wsd has logged all its standard error.
#[derive(Debug)]
pub(crate) struct Permit {
    slots: Vec<Arc<Slots>>,
    offer: Option<Arc<Offer>>,
    /// The slot of the client's source; `None` without a limit of sources, and for a program that clients share.
    of_source: Option<Arc<SourceSlot>>,
}

/// The slot of a worker that no client uses.
#[derive(Debug, Default)]
struct Offer {
    /// Cancelled when another program needs the slot.
    wanted: CancellationToken,
    /// Cancelled when the slot is free, or a client uses the worker again.
    gone: CancellationToken,
}

impl Admission {
    /// Returns slots for at most `limit` workers; `None` is no limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limits: vec![Slots::new(limit)] }
    }

    /// Adds an inner limit: at most `limit` workers within the limits of `self`.
    pub(crate) fn within(&self, limit: Option<usize>) -> Self {
        Self { limits: self.limits.iter().cloned().chain([Slots::new(limit)]).collect() }
    }

    /// Returns the innermost limit; `None` is no limit.
    pub(crate) fn limit(&self) -> Option<usize> {
        Some(self.innermost().limit.load(Ordering::Relaxed)).filter(|limit| *limit < usize::MAX)
    }

    /// Changes the innermost limit. Workers that run already count.
    pub(crate) fn resize(&self, limit: Option<usize>) {
        self.innermost().limit.store(limit.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Whether no worker runs within the innermost limit.
    pub(crate) fn is_idle(&self) -> bool {
        self.innermost().taken.load(Ordering::Relaxed) == 0
    }

    fn innermost(&self) -> &Slots {
        self.limits.last().expect("there is always one")
    }

    /// Takes a slot of each limit, if necessary from workers that no client uses: wsd stops them first. `None` if all slots of
    /// a limit are in use.
    pub(crate) async fn claim(&self) -> Option<Permit> {
        loop {
            if let Some(permit) = self.admit() {
                return Some(permit);
            }
            let full = self.limits.iter().filter(|slots| slots.is_full());
            let offers: Option<Vec<_>> = full.map(|slots| slots.best_offer()).collect();
            // The slot of the innermost full limit is one of each outer limit, too.
            if let Some(offer) = offers?.pop() {
                offer.wanted.cancel();
                offer.gone.cancelled().await;
            }
        }
    }

    /// Takes a slot of each limit; `None` if one limit has no slot left.
    pub(crate) fn admit(&self) -> Option<Permit> {
        let mut permit = Permit { slots: Vec::new(), offer: None, of_source: None };
        for slots in &self.limits {
            let limit = slots.limit.load(Ordering::Relaxed);
            let one_more = |taken| (taken < limit).then_some(taken + 1);
            slots.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
            permit.slots.push(Arc::clone(slots));
        }
        Some(permit)
    }
}

impl Slots {
    fn new(limit: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(limit.unwrap_or(usize::MAX)),
            taken: AtomicUsize::new(0),
            offers: Mutex::default(),
        })
    }

    fn is_full(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed)
    }

    /// Returns the oldest offer that nobody wants yet, or else the oldest of all; `None` if there is none.
    fn best_offer(&self) -> Option<Arc<Offer>> {
        let offers = self.offers();
        let free = offers.iter().find(|offer| !offer.wanted.is_cancelled());
        free.or(offers.front()).cloned()
    }

    fn offers(&self) -> MutexGuard<'_, VecDeque<Arc<Offer>>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Holds the slot of the client's source, too.
    pub(crate) fn hold(&mut self, slot: Option<Arc<SourceSlot>>) {
        self.of_source = slot;
    }

    /// Offers the slot to other programs. The token is cancelled when one needs it.
    pub(crate) fn offer(&mut self) -> CancellationToken {
        let offer = self.offer.get_or_insert_with(|| {
            let offer = Arc::<Offer>::default();
            self.slots.iter().for_each(|slots| slots.offers().push_back(Arc::clone(&offer)));
            offer
        });
        offer.wanted.clone()
    }

    /// Withdraws the offer.
    pub(crate) fn withdraw(&mut self) {
        let Some(offer) = self.offer.take() else { return };
        for slots in &self.slots {
            slots.offers().retain(|known| !Arc::ptr_eq(known, &offer));
        }
        offer.gone.cancel();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        for slots in &self.slots {
            slots.taken.fetch_sub(1, Ordering::Relaxed);
        }
        self.withdraw();
    }
}
