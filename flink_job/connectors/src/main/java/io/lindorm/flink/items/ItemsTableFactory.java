package io.lindorm.flink.items;

import io.lindorm.flink.UserError;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.logical.RowType;

/** Makes the table sink of {@code 'connector' = 'lindorm-items'}. */
public final class ItemsTableFactory implements DynamicTableSinkFactory {

    static final ConfigOption<String> JOB_CONFIG =
            ConfigOptions.key("job-config").stringType().noDefaultValue();
    static final ConfigOption<String> AWS_ENDPOINT =
            ConfigOptions.key("aws.endpoint").stringType().noDefaultValue();

    static final ConfigOption<String> RATES_PATH =
            ConfigOptions.key("rates.path").stringType().noDefaultValue();

    @Override
    public String factoryIdentifier() {
        return "lindorm-items";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(JOB_CONFIG);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(AWS_ENDPOINT, RATES_PATH);
    }

    /**
     * @throws UserError where the job config and the table's columns do not make items
     */
    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        JobConfig config = JobConfig.parse(helper.getOptions().get(JOB_CONFIG));
        RowType rowType = (RowType) context.getPhysicalRowDataType().getLogicalType();
        // Made here once only to be told now, and not by a running job, what it does not like.
        new ItemMapper(config, rowType);
        return new ItemsTableSink(
                config,
                rowType,
                helper.getOptions().getOptional(AWS_ENDPOINT).orElse(null),
                helper.getOptions().getOptional(RATES_PATH).orElse(null));
    }
}
