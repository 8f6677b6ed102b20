//! Other people's clients and servers: they and wsd understand each other's compressed messages.
