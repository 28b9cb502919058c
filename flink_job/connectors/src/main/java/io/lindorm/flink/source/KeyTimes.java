package io.lindorm.flink.source;

import java.math.BigInteger;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import org.apache.flink.table.data.TimestampData;

/** The codecs of times in keys. Lindorm keeps milliseconds of the years 1 to 9999. */
final class KeyTimes {

    private KeyTimes() {}

    /** In UTC, whole milliseconds. */
    static final class Timestamps extends KeyType.Ordered<LocalDateTime> {

        Timestamps() {
            super(LocalDateTime.class);
        }

        @Override
        LocalDateTime ofRow(Object internal) {
            return ((TimestampData) internal).toLocalDateTime();
        }

        @Override
        protected LocalDateTime read(String text) {
            LocalDateTime time = LocalDateTime.ofInstant(TimeBounds.instant(text), ZoneOffset.UTC);
            return at(time, time, 1, 1);
        }

        @Override
        LocalDateTime at(LocalDateTime from, LocalDateTime to, long numerator, long denominator) {
            BigInteger[] parts = KeyNumbers.between(
                            nanos(from),
                            nanos(to),
                            nanos(TimeBounds.FIRST_TIMESTAMP),
                            nanos(TimeBounds.LAST_TIMESTAMP),
                            numerator,
                            denominator)
                    .divideAndRemainder(NANOS_PER_SECOND);
            // A negative remainder makes the second before.
            return LocalDateTime.ofEpochSecond(parts[0].longValue(), 0, ZoneOffset.UTC)
                    .plusNanos(parts[1].longValue())
                    .truncatedTo(ChronoUnit.MILLIS);
        }

        private static final BigInteger NANOS_PER_SECOND = BigInteger.valueOf(1_000_000_000);

        private static BigInteger nanos(LocalDateTime time) {
            return BigInteger.valueOf(time.toEpochSecond(ZoneOffset.UTC))
                    .multiply(NANOS_PER_SECOND)
                    .add(BigInteger.valueOf(time.getNano()));
        }
    }

    /** Days. */
    static final class Dates extends KeyType.Ordered<LocalDate> {

        Dates() {
            super(LocalDate.class);
        }

        @Override
        LocalDate ofRow(Object internal) {
            return LocalDate.ofEpochDay((Integer) internal);
        }

        @Override
        protected LocalDate read(String text) {
            LocalDate date = LocalDate.parse(text.trim());
            return at(date, date, 1, 1);
        }

        @Override
        LocalDate at(LocalDate from, LocalDate to, long numerator, long denominator) {
            return LocalDate.ofEpochDay(KeyNumbers.between(
                    from.toEpochDay(),
                    to.toEpochDay(),
                    TimeBounds.FIRST_TIMESTAMP.toLocalDate().toEpochDay(),
                    TimeBounds.LAST_TIMESTAMP.toLocalDate().toEpochDay(),
                    numerator,
                    denominator));
        }
    }

    /** Lindorm's TIME has whole seconds. */
    static final class Times extends KeyType.Ordered<LocalTime> {

        Times() {
            super(LocalTime.class);
        }

        @Override
        LocalTime ofRow(Object internal) {
            return LocalTime.ofNanoOfDay((Integer) internal * 1_000_000L);
        }

        @Override
        protected LocalTime read(String text) {
            return LocalTime.parse(text.trim()).truncatedTo(ChronoUnit.SECONDS);
        }

        @Override
        LocalTime at(LocalTime from, LocalTime to, long numerator, long denominator) {
            return LocalTime.ofSecondOfDay(KeyNumbers.between(
                    from.toSecondOfDay(),
                    to.toSecondOfDay(),
                    0,
                    LocalTime.MAX.toSecondOfDay(),
                    numerator,
                    denominator));
        }
    }
}
