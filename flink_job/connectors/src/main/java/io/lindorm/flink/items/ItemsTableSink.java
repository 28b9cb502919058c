package io.lindorm.flink.items;

import io.lindorm.flink.files.ItemLines;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.sink.DataStreamSinkProvider;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.abilities.SupportsWritingMetadata;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/**
 * The table sink behind {@code 'connector' = 'lindorm-items'}: rows become items in DynamoDB, or rejects in
 * files, and in the end there is a result.
 */
final class ItemsTableSink implements DynamicTableSink, SupportsWritingMetadata {

    /** The metadata column in which a source tells what of a row it could not read: such a row is rejected. */
    static final String UNREADABLE = "unreadable";

    private final JobConfig config;
    private final RowType rowType;
    private final String endpoint;
    private final String rates;
    private boolean unreadable;

    /**
     * @param endpoint where DynamoDB is, or null for AWS's own address of the region
     * @param rates the file with the rate to keep, or null
     */
    ItemsTableSink(JobConfig config, RowType rowType, String endpoint, String rates) {
        this.config = config;
        this.rowType = rowType;
        this.endpoint = endpoint;
        this.rates = rates;
    }

    @Override
    public ChangelogMode getChangelogMode(ChangelogMode requestedMode) {
        return ChangelogMode.insertOnly();
    }

    @Override
    public Map<String, DataType> listWritableMetadata() {
        return Map.of(UNREADABLE, DataTypes.STRING().nullable());
    }

    @Override
    public void applyWritableMetadata(List<String> metadataKeys, DataType consumedDataType) {
        unreadable = !metadataKeys.isEmpty();
    }

    @Override
    public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
        return new DataStreamSinkProvider() {
            @Override
            public DataStreamSink<?> consumeDataStream(ProviderContext providerContext, DataStream<RowData> rows) {
                return consume(rows);
            }
        };
    }

    /** Puts the sink behind a stream of rows. */
    DataStreamSink<Outcome> consume(DataStream<RowData> rows) {
        TypeInformation<Outcome> type = TypeInformation.of(Outcome.class);
        return outcomes(rows, type)
                .global()
                .transform("outcome", type, new OutcomeOperator(config))
                .uid("outcome")
                .setParallelism(1)
                .setMaxParallelism(1)
                // All is done by then; Flink wants every stream to end in a sink.
                .sinkTo(new DiscardingSink<>())
                .name("end")
                .uid("end")
                .setParallelism(1)
                .setMaxParallelism(1);
    }

    private DataStream<Outcome> outcomes(DataStream<RowData> rows, TypeInformation<Outcome> type) {
        if (config.load() == null) {
            return rows.transform("items", type, new ItemsOperator(config, rowType, unreadable, endpoint, rates))
                    .uid("items")
                    .setParallelism(rows.getParallelism());
        }
        SingleOutputStreamOperator<ItemLines> lines = rows.transform(
                        "items",
                        TypeInformation.of(ItemLines.class),
                        new ItemLinesOperator(config, rowType, unreadable))
                .uid("items")
                .setParallelism(rows.getParallelism());
        // Each writer gets lines of all readers in turn, each of which reads several ranges of the key at a time. So a
        // file is not in the order of the key, which would have DynamoDB load it into one partition after the other.
        return lines.rebalance()
                .transform("files", type, new ItemFilesOperator(config.load().items()))
                .uid("files")
                .setParallelism(rows.getParallelism())
                .union(lines.getSideOutput(ItemLinesOperator.OUTCOMES));
    }

    @Override
    public DynamicTableSink copy() {
        ItemsTableSink copy = new ItemsTableSink(config, rowType, endpoint, rates);
        copy.unreadable = unreadable;
        return copy;
    }

    @Override
    public String asSummaryString() {
        return "DynamoDB items in " + config.target().table();
    }
}
