# The fifteen figures of the 2017 study in ggplot2: what the Python figures are held against.
#
#   Rscript figures.R draw TABLE OUT [NAME…]    NAME.png
#   Rscript figures.R build TABLE OUT [NAME…]   NAME.json and NAME.layers.csv: panels, scales, marks
#
# TABLE is the published history table; without a NAME all fifteen are made. `compare-regularizer`
# is no figure of the study, but what `postertui report --compare Regularizer` shows.

suppressPackageStartupMessages(library(ggplot2))

arguments <- commandArgs(trailingOnly = TRUE)
history <- read.table(arguments[2], header = TRUE, sep = "\t", stringsAsFactors = TRUE)

rates <- read.table(header = TRUE, text = "
genre            train       test
Animation        0.04844114  0.04988222
Comedy           0.201396    0.19611103
Crime            0.05262913  0.05223777
Documentary      0.09781294  0.09824027
Drama            0.28129362  0.28077225
Family           0.04271754  0.04447832
Fantasy          0.02815263  0.02780472
Foreign          0.02680316  0.02886703
History          0.01703118  0.01704309
Horror           0.06454165  0.06872662
Music            0.04648674  0.04480163
Mystery          0.02680316  0.02706572
Romance          0.08115403  0.08059674
Science_Fiction  0.03476035  0.0322387
TV_Movie         0.01447185  0.01404092
Thriller         0.07915309  0.08175142
War              0.01675198  0.01708928
Western          0.01912517  0.0159346")
rates$genre <- factor(rates$genre, levels = levels(history$genre))
modelled <- rates[rates$train >= 0.03, ]
frequent <- rates[rates$train > 0.05, ]

is_home <- history$FC1 == 256 & history$FC2 == 256

curves <- function(rows, lines) list(
  ggplot(rows),
  geom_line(aes(epoch, train_fscore, colour = "Train")),
  geom_line(aes(epoch, test_fscore, colour = "Test")),
  geom_hline(aes(yintercept = train, colour = "Train"), lines, linetype = "dashed"),
  geom_hline(aes(yintercept = test, colour = "Test"), lines, linetype = "dashed")
)
together <- function(parts) Reduce(`+`, parts[-1], parts[[1]])
by_two <- scale_x_continuous(breaks = seq(0, 10, 2))
to_six_tenths <- scale_y_continuous(breaks = c(0, 0.5), limits = c(0, 0.6))
upright <- theme(strip.text.y = element_text(angle = 0))

grid <- function(rows, across) together(curves(rows, modelled)) +
  facet_grid(as.formula(paste("genre ~", across))) + by_two + to_six_tenths + upright +
  labs(title = paste("Comparing F-Score per", across), x = "epoch", y = "F score", colour = "colour")

against_base <- function(families, across = "variant") grid(
  history[is_home & history$variant %in% c(families, "base") & history$genre %in% modelled$genre, ],
  across
)

short <- history$epoch <= 10
sizes <- history[history$variant == "base" & short, ]

setting <- as.character(history$variant)
regularizing <- startsWith(setting, "regularizer")
setting[regularizing] <- paste(setting, history$Regularizer)[regularizing]
setting[!is_home] <- paste0("FC ", history$FC1, "x", history$FC2)[!is_home]
history$varReg <- factor(setting)

strip <- function(title, settings) {
  rows <- history[(is_home | history$variant == "base") & short &
                    history$genre %in% frequent$genre & history$varReg %in% settings, ]
  ggplot(rows) +
    geom_hline(aes(yintercept = train), frequent, colour = "black", linetype = "dashed") +
    geom_line(aes(epoch, test_fscore, colour = varReg)) +
    facet_grid(~genre) + scale_x_continuous(limits = c(0, 10), breaks = c(5, 10)) +
    labs(title = title, y = "F score")
}

figures <- list(
  base = function() together(curves(
    history[is_home & history$variant == "base" & history$Regularizer == "L1=1e-5", ], rates
  )) + facet_wrap(~genre) + by_two + labs(
    title = "F-Score over 10 epochs; FC1=256 FC2=256 L1=1e-5", x = "epoch", y = "F score",
    colour = "colour"
  ),
  fc = function() grid(sizes, "FC1 + FC2"),
  "fc-points" = function() {
    rows <- sizes[sizes$genre %in% history$genre[history$test_fscore > 0], ]
    set.seed(2017)
    ggplot(rows) +
      geom_jitter(aes(epoch, test_fscore, shape = paste(FC1, FC2), colour = paste(FC1, FC2)),
                  height = 0) +
      scale_shape_manual(values = LETTERS) +
      geom_hline(aes(yintercept = test), modelled, linetype = "dashed") +
      facet_wrap(~genre) + by_two + to_six_tenths +
      labs(title = "Comparing Test F-Score per FC sizes", y = "F score") + upright
  },
  l1 = function() against_base(c("regularizer", "regularizer L1"), "Regularizer"),
  l2 = function() against_base(c("regularizer", "regularizer L2"), "Regularizer"),
  "compare-regularizer" = function()
    against_base(c("regularizer", "regularizer L1", "regularizer L2"), "Regularizer"),
  loss = function() against_base(c("BCE loss", "BCE loss No Reg")),
  "learning-rate" = function() against_base(c("LR decay", "Reduce LR on Plateau")),
  "long-run" = function() together(curves(
    history[history$variant == "100 epochs Reduce LR on Plateau", ],
    rates[rates$genre %in% c("Animation", "Comedy", "Drama"), ]
  )) + scale_x_continuous(breaks = seq(0, 100, 20)) +
    scale_y_continuous(breaks = c(0, 0.5, 1), limits = c(0, 1)) + facet_grid(~genre) + labs(
      title = "Allowing to run for 100 epochs, with Reduce LR on Plateau", x = "epoch",
      y = "F score", colour = "colour"
    ),
  scratch = function() against_base("scratch"),
  "frozen-layers" = function() against_base(c("VGG w/16 frozen layers", "VGG w/17 frozen layers")),
  "test-regularization" = function() strip("Comparing Regularization in CNN", c(
    "regularizer NoReg", "regularizer L1 L1=1e-4", "base", "regularizer L1 L1=1e-6",
    "regularizer L2 L2=1e-4", "regularizer L2 L2=1e-5", "regularizer L2 L2=1e-6"
  )),
  "test-learning-rate" = function() strip(
    "Comparing Learning Rate in CNN", c("base", "LR decay", "Reduce LR on Plateau")
  ),
  "test-fc" = function() strip("Comparing FC Size in CNN", c(
    "base", "FC 1024x256", "FC 1024x64", "FC 256x1024", "FC 256x4", "FC 256x64", "FC 4096x4096"
  )),
  "test-frozen-layers" = function() strip("Comparing Unfreezing layers in CNN", c(
    "base", "VGG w/17 frozen layers", "VGG w/16 frozen layers"
  )),
  "test-loss" = function() strip(
    "Comparing Loss Functions in CNN", c("base", "BCE loss", "BCE loss No Reg")
  )
)

size_of <- function(name) {
  switch(name, "long-run" = c(6.5, 4.5), "compare-regularizer" = c(10.45, 8.14),
         if (startsWith(name, "test-")) c(8, 2) else c(6.5, 8))
}

draw <- function(name, out) {
  size <- size_of(name)
  path <- file.path(out, paste0(name, ".png"))
  suppressWarnings(ggsave(path, figures[[name]](), width = size[1], height = size[2], dpi = 150))
}

# What ggplot2 made of the data, in the form of the published reference files.
build <- function(name, out) {
  size <- size_of(name)
  plot <- figures[[name]]()
  warnings <- character()
  built <- ggplot_build(plot)
  grDevices::pdf(NULL)
  withCallingHandlers(ggplot_gtable(built), warning = function(w) {
    warnings <<- c(warnings, conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  layout <- built$layout$layout
  facet_vars <- setdiff(names(layout), c("PANEL", "ROW", "COL", "SCALE_X", "SCALE_Y"))
  axis <- function(view) list(
    range = view$continuous_range, limits = view$limits,
    breaks = I(Filter(Negate(is.na), as.numeric(view$get_breaks()))),
    minor_breaks = I(Filter(Negate(is.na), as.numeric(view$get_breaks_minor()))),
    labels = I(as.character(Filter(Negate(is.na), view$get_labels())))
  )
  panels <- lapply(seq_len(nrow(layout)), function(i) list(
    panel = i, row = layout$ROW[i], col = layout$COL[i],
    strip = lapply(layout[i, facet_vars, drop = FALSE], as.character),
    x = axis(built$layout$panel_params[[i]]$x), y = axis(built$layout$panel_params[[i]]$y)
  ))
  scales <- lapply(built$plot$scales$non_position_scales()$scales, function(s) list(
    aesthetics = I(s$aesthetics), limits = s$get_limits(), labels = s$get_labels(),
    values = as.character(s$map(s$get_limits()))
  ))
  labels <- built$plot$labels
  record <- list(
    figure = name, width = size[1], height = size[2], dpi = 150,
    facet = sub("Facet", "", class(built$layout$facet)[1]), facet_vars = I(facet_vars),
    labels = list(title = labels$title, x = labels$x, y = labels$y, colour = labels$colour,
                  shape = labels$shape),
    panels = panels, scales = scales, warnings = I(warnings)
  )
  jsonlite::write_json(record, file.path(out, paste0(name, ".json")), auto_unbox = TRUE,
                       digits = 12, null = "null")
  columns <- c("PANEL", "group", "x", "y", "yintercept", "colour", "linetype", "shape",
               "linewidth", "size", "alpha")
  layers <- do.call(rbind, lapply(seq_along(built$data), function(i) {
    data <- as.data.frame(built$data[[i]])
    data[setdiff(columns, names(data))] <- NA
    geom <- tolower(sub("Geom", "", class(built$plot$layers[[i]]$geom)[1]))
    data.frame(layer = i, geom = geom, lapply(data[columns], function(column)
      if (is.numeric(column) && !is.integer(column)) signif(column, 12) else as.character(column)))
  }))
  write.csv(layers, file.path(out, paste0(name, ".layers.csv")), row.names = FALSE, na = "")
}

dir.create(arguments[3], showWarnings = FALSE, recursive = TRUE)
names <- if (length(arguments) > 3) arguments[-(1:3)] else
  setdiff(names(figures), "compare-regularizer")
for (name in names) get(arguments[1])(name, arguments[3])
