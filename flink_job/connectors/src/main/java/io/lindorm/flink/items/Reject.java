package io.lindorm.flink.items;

/** Says, while a row is made an item, that it cannot be one. Carries no stack trace: it is an outcome. */
final class Reject extends Exception {

    private static final long serialVersionUID = 1L;

    private final RejectReason reason;

    /**
     * @param reason the kind
     * @param message what is wrong with this row, for the user
     */
    Reject(RejectReason reason, String message) {
        super(message, null, false, false);
        this.reason = reason;
    }

    RejectReason reason() {
        return reason;
    }
}
