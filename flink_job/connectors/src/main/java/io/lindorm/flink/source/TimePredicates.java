package io.lindorm.flink.source;

import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.table.expressions.CallExpression;
import org.apache.flink.table.expressions.FieldReferenceExpression;
import org.apache.flink.table.expressions.ResolvedExpression;
import org.apache.flink.table.expressions.ValueLiteralExpression;
import org.apache.flink.table.functions.BuiltInFunctionDefinitions;
import org.apache.flink.table.functions.FunctionDefinition;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;

/** Takes from a SQL WHERE what the scan's time range can do for it. */
final class TimePredicates {

    private static final Map<FunctionDefinition, String> OPERATORS = Map.of(
            BuiltInFunctionDefinitions.GREATER_THAN, ">",
            BuiltInFunctionDefinitions.GREATER_THAN_OR_EQUAL, ">=",
            BuiltInFunctionDefinitions.LESS_THAN, "<",
            BuiltInFunctionDefinitions.LESS_THAN_OR_EQUAL, "<=",
            BuiltInFunctionDefinitions.EQUALS, "=");

    private static final Map<String, String> MIRRORED = Map.of(">", "<", ">=", "<=", "<", ">", "<=", ">=", "=", "=");

    private TimePredicates() {}

    /**
     * The scan narrowed by a predicate.
     *
     * @param sessionZone the zone of Flink's session ({@code table.local-time-zone})
     * @return the scan; nothing where the predicate is not a comparison of the time column with a constant. The scan's
     *     time column is the one that its options name, else the first TIMESTAMP column that is compared
     */
    static Optional<Scan> apply(Scan scan, ResolvedExpression predicate, ZoneId sessionZone) {
        if (predicate instanceof CallExpression both
                && both.getFunctionDefinition() == BuiltInFunctionDefinitions.AND) {
            // How the planner writes a range that it has put together.
            Optional<Scan> narrowed = Optional.of(scan);
            for (ResolvedExpression each : both.getResolvedChildren()) {
                narrowed = narrowed.flatMap(narrower -> apply(narrower, each, sessionZone));
            }
            return narrowed;
        }
        if (!(predicate instanceof CallExpression call) || !OPERATORS.containsKey(call.getFunctionDefinition())) {
            return Optional.empty();
        }
        List<ResolvedExpression> sides = call.getResolvedChildren();
        boolean columnFirst = sides.get(0) instanceof FieldReferenceExpression;
        if (!(sides.get(columnFirst ? 0 : 1) instanceof FieldReferenceExpression column)
                || !(sides.get(columnFirst ? 1 : 0) instanceof ValueLiteralExpression literal)
                || (scan.timeColumn() != null && !scan.timeColumn().equals(column.getName()))) {
            return Optional.empty();
        }
        String operator = OPERATORS.get(call.getFunctionDefinition());
        return constant(scan.timeUnit(), column.getOutputDataType().getLogicalType(), literal, sessionZone)
                .map(value -> scan.withRange(
                        column.getName(),
                        new TimeBounds(scan.start(), scan.end())
                                .and(columnFirst ? operator : MIRRORED.get(operator), value)));
    }

    private static Optional<Object> constant(
            LindormOptions.TimeUnit unit, LogicalType column, ValueLiteralExpression literal, ZoneId sessionZone) {
        if (unit != null) {
            return column.is(LogicalTypeRoot.BIGINT)
                    ? literal.getValueAs(Long.class)
                            .or(() -> literal.getValueAs(Integer.class).map(Integer::longValue))
                            .filter(value -> value < Long.MAX_VALUE)
                            .map(Object.class::cast)
                    : Optional.empty();
        }
        if (column.is(LogicalTypeRoot.TIMESTAMP_WITH_LOCAL_TIME_ZONE) && LogicalTypeChecks.getPrecision(column) >= 3) {
            // The planner leaves a TIMESTAMP without a zone beside such a column; it means the session's, as in a CAST.
            return literal.getValueAs(Instant.class)
                    .or(() -> literal.getValueAs(LocalDateTime.class)
                            .map(time -> time.atZone(sessionZone).toInstant()))
                    .map(instant -> LocalDateTime.ofInstant(instant, ZoneOffset.UTC));
        }
        if (column.is(LogicalTypeRoot.TIMESTAMP_WITHOUT_TIME_ZONE) && LogicalTypeChecks.getPrecision(column) >= 3) {
            return literal.getValueAs(LocalDateTime.class).map(Object.class::cast);
        }
        return Optional.empty();
    }
}
