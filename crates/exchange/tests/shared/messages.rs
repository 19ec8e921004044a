//! Messages written by hand, one of each type, in the exchange's form.

/// Name of the event and its text, raw.
pub const EVENTS: &[(&str, &str)] = &[
    (
        "depthUpdate",
        r#"{"e":"depthUpdate","E":1700000000105,"T":1700000000100,"s":"BTCUSDT","U":101,"u":105,"pu":100,"b":[["61800.20","1.500"],["61799.90","0.000"]],"a":[["61800.30","0.250"]]}"#,
    ),
    (
        "bookTicker",
        r#"{"e":"bookTicker","u":105,"s":"BTCUSDT","b":"61800.20","B":"1.500","a":"61800.30","A":"0.250","T":1700000000100,"E":1700000000105}"#,
    ),
    (
        "aggTrade",
        r#"{"e":"aggTrade","E":1700000000205,"a":77,"s":"BTCUSDT","p":"61800.30","q":"0.125","nq":"0.125","f":900,"l":902,"T":1700000000200,"m":false}"#,
    ),
    (
        "trade",
        r#"{"e":"trade","E":1700000000205,"T":1700000000200,"s":"BTCUSDT","t":902,"p":"61800.30","q":"0.005","X":"MARKET","m":true}"#,
    ),
    (
        "kline",
        r#"{"e":"kline","E":1700000040001,"s":"BTCUSDT","k":{"t":1699999980000,"T":1700000039999,"s":"BTCUSDT","i":"1m","f":900,"L":902,"o":"61800.10","c":"61800.30","h":"61801.00","l":"61799.00","v":"0.130","n":3,"x":true,"q":"8034.0390","V":"0.125","Q":"7725.0375","B":"0"}}"#,
    ),
    (
        "markPriceUpdate",
        r#"{"e":"markPriceUpdate","E":1700000001000,"s":"BTCUSDT","p":"61795.12345678","ap":"61795.2","P":"61790.00000000","i":"61796.87654321","r":"-0.00012345","T":1700006400000}"#,
    ),
    (
        "24hrTicker",
        r#"{"e":"24hrTicker","E":1700000002000,"s":"BTCUSDT","p":"-10.00","P":"-0.016","w":"61750.50000000","c":"61800.30","Q":"0.005","o":"61810.30","h":"62000.00","l":"61000.00","v":"120000.500","q":"7410000000.10","O":1699913600000,"C":1700000000000,"F":1,"L":902,"n":902}"#,
    ),
    (
        "24hrMiniTicker",
        r#"{"e":"24hrMiniTicker","E":1700000002000,"s":"BTCUSDT","c":"61800.30","o":"61810.30","h":"62000.00","l":"61000.00","v":"120000.500","q":"7410000000.10"}"#,
    ),
    (
        "forceOrder",
        r#"{"e":"forceOrder","E":1700000003000,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"61500.00","ap":"61510.50","X":"FILLED","l":"0.004","z":"0.014","T":1700000002999}}"#,
    ),
    (
        "ORDER_TRADE_UPDATE",
        r#"{"e":"ORDER_TRADE_UPDATE","T":1700000004000,"E":1700000004005,"o":{"s":"BTCUSDT","c":"by-hand-1","S":"BUY","o":"LIMIT","f":"GTX","q":"0.020","p":"61700.10","ap":"61700.10","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED","i":555,"l":"0.005","z":"0.005","L":"61700.10","N":"USDT","n":"0.06170010","T":1700000004000,"t":903,"b":"0","a":"0","m":true,"R":false,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"rp":"-0.25","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER","pm":"NONE","gtd":0}}"#,
    ),
    (
        "ACCOUNT_UPDATE",
        r#"{"e":"ACCOUNT_UPDATE","T":1700000004000,"E":1700000004006,"a":{"m":"FUNDING_FEE","B":[{"a":"USDT","wb":"1000.12345678","cw":"1000.12345678","bc":"-0.5"}],"P":[{"s":"BTCUSDT","pa":"-0.005","ep":"61700.1","bep":"61710.2","cr":"0","up":"-0.501","mt":"cross","iw":"0","ps":"BOTH"},{"s":"OTHERUSDT","pa":"1","ep":"1","cr":"0","up":"0","mt":"cross","iw":"0","ps":"BOTH"}]}}"#,
    ),
    (
        "TRADE_LITE",
        r#"{"e":"TRADE_LITE","E":1700000004001,"T":1700000004000,"s":"BTCUSDT","q":"0.020","p":"61700.10","m":true,"c":"by-hand-1","S":"BUY","L":"61700.10","l":"0.005","t":903,"i":555}"#,
    ),
    (
        "ALGO_UPDATE",
        r#"{"e":"ALGO_UPDATE","T":1700000005000,"E":1700000005001,"o":{"caid":"stop-1","aid":42,"at":"CONDITIONAL","o":"STOP_MARKET","s":"BTCUSDT","S":"SELL","ps":"BOTH","f":"GTC","q":"0.005","X":"TRIGGERED","ai":"556","ap":"0","aq":"0","act":"MARKET","tp":"61000.00","p":"0","V":"EXPIRE_MAKER","wt":"MARK_PRICE","pm":"NONE","cp":false,"pP":false,"R":true,"tt":1700000004999,"gtd":0}}"#,
    ),
    ("ACCOUNT_CONFIG_UPDATE", r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1700000006000,"T":1700000006000,"ac":{"s":"BTCUSDT","l":25}}"#),
    (
        "MARGIN_CALL",
        r#"{"e":"MARGIN_CALL","E":1700000007000,"cw":"3.16","p":[{"s":"BTCUSDT","ps":"BOTH","pa":"0.005","mt":"CROSSED","iw":"0","mp":"60000.5","up":"-8.5","mm":"1.2"}]}"#,
    ),
    ("listenKeyExpired", r#"{"e":"listenKeyExpired","E":"1700000008000","listenKey":"abcdef"}"#),
    (
        "CONDITIONAL_ORDER_TRIGGER_REJECT",
        r#"{"e":"CONDITIONAL_ORDER_TRIGGER_REJECT","E":1700000009000,"T":1700000009000,"or":{"s":"BTCUSDT","i":557,"r":"no \"margin\""}}"#,
    ),
    ("SOMETHING_NEW", r#"{"e":"SOMETHING_NEW","E":1,"x":{"y":[1,2,{"z":null}]}}"#),
];

/// Replies, errors and commands.
#[allow(dead_code, reason = "not every test binary needs them")]
pub const OTHERS: &[&str] = &[
    r#"{"result":null,"id":7}"#,
    r#"{"result":["btcusdt@trade","btcusdt@depth"],"id":"eight"}"#,
    r#"{"error":{"code":2,"msg":"Invalid request: unknown stream"},"id":9}"#,
    r#"{"id":"1","status":400,"error":{"code":-2019,"msg":"Margin is insufficient."},"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":1}]}"#,
    r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":3}"#,
    r#"{"code":-2019,"msg":"Margin is insufficient."}"#,
    r#"{"code":200,"msg":"success"}"#,
    r#"{"lastUpdateId":105,"E":1,"T":1,"bids":[["61800.20","1.5"]],"asks":[["61800.30","0.25"]]}"#,
    r#"[[1699999980000,"61800.10","61801.00","61799.00","61800.30","0.130",1700000039999,"8034.0390",3,"0.125","7725.0375","0"]]"#,
    r#"[{"symbol":"BTCUSDT","brackets":[{"bracket":1,"initialLeverage":125,"notionalCap":50000,"notionalFloor":0,"maintMarginRatio":0.004,"cum":0.0},{"bracket":2,"initialLeverage":100,"notionalCap":500000,"notionalFloor":50000,"maintMarginRatio":0.005,"cum":50.0}]}]"#,
    r#"[{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"a","side":"BUY","status":"NEW","type":"LIMIT","timeInForce":"GTC","price":"1.00","origQty":"1.000","executedQty":"0"},{"code":-2022,"msg":"ReduceOnly Order is rejected."}]"#,
];
