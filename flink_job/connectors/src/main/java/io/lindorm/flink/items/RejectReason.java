package io.lindorm.flink.items;

/** Why a row cannot be an item. The order is that of the counters in checkpoints: add at the end only. */
enum RejectReason {
    EmptyKey,
    NullKey,
    KeyTooLong,
    ItemTooLarge,
    NumberOutOfRange,
    NotANumber,
    AmbiguousKey,
    InvalidJson,
    InvalidText,
    TimeOutOfRange,
    RefusedByDynamoDB,
    InvalidIndexKey
}
