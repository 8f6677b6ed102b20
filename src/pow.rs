//! `pow` of C (`math.h`), since tokio's scheduler asks for it and nothing else of the C library's mathematics is needed.
//!
//! Without this the loader maps the whole of libm at each start: half a megabyte of memory.
#![expect(unsafe_code, reason = "a name that the linker finds; no other symbol of the program is called `pow`")]

/// `base` to the power of `exponent`.
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
